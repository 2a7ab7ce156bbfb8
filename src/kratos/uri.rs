//! Which texts Kratos takes for a URI: one that it does not take would make it refuse its whole configuration.
//!
//! Kratos checks the formats `uri` and `uri-reference` with Go's `net/url`. The rules here are a little stricter (no
//! white space, no backslash), so that what passes has one meaning only.

use reqwest::Url;

/// Whether `text` is an absolute URI, such as `base64://e30=` or `https://id.example.com/x`.
pub fn is_uri(text: &str) -> bool {
    is_clean(text) && scheme(text).is_some() && Url::parse(text).is_ok()
}

/// An absolute `http` or `https` URI with a host.
pub fn web_url(text: &str) -> Option<Url> {
    let is_web = scheme(text).is_some_and(|scheme| {
        let is_known = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
        is_known && text[scheme.len()..].starts_with("://")
    });
    if is_web && is_clean(text) { Url::parse(text).ok() } else { None }
}

/// Whether `text` is an absolute URI or a reference relative to one, such as `/ui/login`.
pub fn is_uri_reference(text: &str) -> bool {
    if scheme(text).is_some() {
        return is_uri(text);
    }
    let first_segment = text.split(['/', '?', '#']).next().unwrap_or_default();
    let base = Url::parse("http://base.invalid/");
    is_clean(text) && !first_segment.contains(':') && base.is_ok_and(|base| base.join(text).is_ok())
}

fn scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once(':')?;
    let is_letter = scheme.starts_with(|first: char| first.is_ascii_alphabetic());
    let is_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    (is_letter && scheme.bytes().all(is_scheme)).then_some(scheme)
}

fn is_clean(text: &str) -> bool {
    let is_escape = |after: &str| {
        let digits = after.as_bytes();
        digits.len() >= 2 && digits[..2].iter().all(u8::is_ascii_hexdigit)
    };
    !text.is_empty()
        && !text.contains(|character: char| {
            character.is_control() || character.is_whitespace() || character == '\\'
        })
        && text.split('%').skip(1).all(is_escape)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absolute_and_relative_ones_are_told_apart() {
        for text in
            ["https://id.example.com", "http://10.1.2.3:4433/a?b=c#d", "base64://e30=", "https://h/ü%20"]
        {
            assert!(is_uri(text) && is_uri_reference(text), "{text}");
        }
        for text in ["/ui/login", "login", "?flow=1", "//host/path"] {
            assert!(is_uri_reference(text) && !is_uri(text), "{text}");
        }
        for text in
            ["", " ", "http://", "http://a b", "/a b", "https://h/%zz", "http:\\\\h", "a\nb", "1:2", "%"]
        {
            assert!(!is_uri_reference(text), "{text}");
        }
        assert!(!is_uri_reference("http://[::1"));
    }

    #[test]
    fn web_urls_have_a_host() {
        for text in ["http://tempo:4318", "HTTPS://h/x"] {
            assert!(web_url(text).is_some(), "{text}");
        }
        for text in
            ["tempo:4318", "http:tempo", "ftp://h", "https://", "https://h:99999", "/x", "http:///x y"]
        {
            assert!(web_url(text).is_none(), "{text}");
        }
    }
}
