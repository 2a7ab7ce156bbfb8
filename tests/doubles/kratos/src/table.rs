//! Tables as the original prints them: every cell ends in tabs, columns are multiples of eight wide.

/// Renders `rows` (the first is the head); each row ends in a newline.
pub fn render(rows: &[[&str; 3]]) -> String {
    let mut widths = [0; 3];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            // One column of padding, rounded up to the next tab stop.
            *width = (*width).max((cell.chars().count() + 1).next_multiple_of(8));
        }
    }
    let mut text = String::new();
    for row in rows {
        for (width, cell) in widths.iter().zip(row) {
            text.push_str(cell);
            text.push_str(&"\t".repeat((width - cell.chars().count()).div_ceil(8)));
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn cells_end_in_tabs() {
        let text =
            super::render(&[["Version", "Name", "Status"], ["20150100000001000000", "networks", "Applied"]]);
        assert_eq!(text, "Version\t\t\tName\t\tStatus\t\n20150100000001000000\tnetworks\tApplied\t\n");
    }
}
