//! Kubernetes' quantities: how CPU and memory are written in a manifest.
//!
//! Given a text such as `500m`, `1.5`, `2Gi` or `1e3`, [`Quantity`] holds its amount, so that two spellings of one amount
//! are equal. It is written as a plain decimal number without a suffix, as the Python charm wrote it.
//! The crates for it bring a decimal library and write another canonical form.

use std::fmt;
use std::str::FromStr;

/// An amount that is not negative, exact to a thousandth; what is finer is rounded up, as Kubernetes rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantity {
    thousandths: u128,
}

/// The text is no quantity that Kubernetes takes for a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a Kubernetes quantity such as 500m, 1.5 or 2Gi")]
pub struct InvalidQuantity;

/// More than any machine has, and what Kubernetes itself can hold: 2^63 - 1 units.
const LARGEST: u128 = i64::MAX as u128 * 1000;

impl Quantity {
    /// The amount in thousandths of a unit.
    pub const fn from_thousandths(thousandths: u128) -> Self {
        Self { thousandths }
    }

    /// The next amount of whole units: memory is counted in whole bytes.
    pub fn round_up(self) -> Self {
        Self { thousandths: self.thousandths.div_ceil(1000) * 1000 }
    }
}

impl FromStr for Quantity {
    type Err = InvalidQuantity;

    fn from_str(text: &str) -> Result<Self, InvalidQuantity> {
        let text = text.strip_prefix('+').unwrap_or(text);
        let end = text.find(|character: char| !character.is_ascii_digit() && character != '.');
        let (number, suffix) = text.split_at(end.unwrap_or(text.len()));
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = format!("{whole}{fraction}");
        if digits.is_empty() || fraction.contains('.') || digits.len() > 36 {
            return Err(InvalidQuantity);
        }
        let digits: u128 = digits.parse().map_err(|_| InvalidQuantity)?;
        let places = i32::try_from(fraction.len()).map_err(|_| InvalidQuantity)?;
        let (binary, decimal) = scale(suffix).ok_or(InvalidQuantity)?;
        let amount = digits.checked_mul(binary).ok_or(InvalidQuantity)?;
        // 3 more places, because thousandths are counted.
        let thousandths = shift(amount, decimal - places + 3).ok_or(InvalidQuantity)?;
        if thousandths > LARGEST { Err(InvalidQuantity) } else { Ok(Self { thousandths }) }
    }
}

/// What a suffix multiplies with: a factor, and a power of ten.
fn scale(suffix: &str) -> Option<(u128, i32)> {
    let binary = |power: u32| Some((1024_u128.pow(power), 0));
    match suffix {
        "Ki" => binary(1),
        "Mi" => binary(2),
        "Gi" => binary(3),
        "Ti" => binary(4),
        "Pi" => binary(5),
        "Ei" => binary(6),
        "n" => Some((1, -9)),
        "u" => Some((1, -6)),
        "m" => Some((1, -3)),
        "" => Some((1, 0)),
        "k" => Some((1, 3)),
        "M" => Some((1, 6)),
        "G" => Some((1, 9)),
        "T" => Some((1, 12)),
        "P" => Some((1, 15)),
        "E" => Some((1, 18)),
        exponent => {
            let power = exponent.strip_prefix(['e', 'E'])?;
            let is_number = power.trim_start_matches(['+', '-']).bytes().all(|byte| byte.is_ascii_digit());
            let power: i32 = power.parse().ok().filter(|_| is_number)?;
            (-40..=40).contains(&power).then_some((1, power))
        }
    }
}

/// Multiplies with a power of ten; a division rounds up. `None`: too large.
fn shift(amount: u128, power: i32) -> Option<u128> {
    match u32::try_from(power) {
        Ok(power) => amount.checked_mul(10_u128.checked_pow(power)?),
        Err(_) => Some(match 10_u128.checked_pow(power.unsigned_abs()) {
            Some(divisor) => amount.div_ceil(divisor),
            None => u128::from(amount > 0),
        }),
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.thousandths / 1000, self.thousandths % 1000);
        write!(formatter, "{whole}")?;
        if rest > 0 {
            let places = format!("{rest:03}");
            write!(formatter, ".{}", places.trim_end_matches('0'))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn canonical(text: &str) -> String {
        text.parse::<Quantity>().map_or_else(|error| error.to_string(), |quantity| quantity.to_string())
    }

    #[test]
    fn each_spelling_has_one_canonical_text() {
        let table = [
            ("500m", "0.5"),
            ("0.5", "0.5"),
            (".5", "0.5"),
            ("5.", "5"),
            ("+2", "2"),
            ("1.250", "1.25"),
            ("100m", "0.1"),
            ("1Gi", "1073741824"),
            ("0.8Gi", "858993459.2"),
            ("200Mi", "209715200"),
            ("1G", "1000000000"),
            ("2k", "2000"),
            ("1e3", "1000"),
            ("1E3", "1000"),
            ("12E-1", "1.2"),
            ("1E", "1000000000000000000"),
            ("7Ei", "8070450532247928832"),
            ("1u", "0.001"),
            ("1n", "0.001"),
            ("0", "0"),
            ("0n", "0"),
        ];
        for (text, expected) in table {
            assert_eq!(canonical(text), expected, "{text}");
        }
    }

    #[test]
    fn whole_bytes_are_rounded_up() {
        let rounded = |text: &str| text.parse::<Quantity>().unwrap().round_up().to_string();
        assert_eq!(rounded("0.8Gi"), "858993460");
        assert_eq!(rounded("1Gi"), "1073741824");
        assert_eq!(rounded("1m"), "1");
    }

    #[test]
    fn what_kubernetes_does_not_take_is_refused() {
        for text in [
            "", ".", "-1", "m", "1 Gi", "1gi", "1K", "1GiB", "1.2.3", "1e", "1e3Mi", "0x1", "unset", "1e99",
            "9Ei", "1,5", "٣", "1e--1",
        ] {
            assert_eq!(canonical(text), InvalidQuantity.to_string(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_the_canonical_text_means_the_same(text in "[0-9.+-]{0,40}[a-zA-Z]{0,2}[0-9+-]{0,3}") {
            if let Ok(quantity) = text.parse::<Quantity>() {
                prop_assert_eq!(quantity.to_string().parse(), Ok(quantity));
            }
        }
    }
}
