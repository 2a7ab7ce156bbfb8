//! Which texts Kratos takes for a URI: one that it does not take would make it refuse its whole configuration.
//!
//! Kratos checks the formats `uri` and `uri-reference` with Go's `net/url`, which is stricter about hosts than RFC 3986 and
//! laxer about the rest. What passes here is well formed to both, so it has one meaning only.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use fluent_uri::{Uri, UriRef};
use reqwest::Url;

/// An absolute `http` or `https` URL with a host.
pub fn web_url(text: &str) -> Option<Url> {
    let uri = Uri::parse(text).ok()?;
    let is_web = ["http", "https"].contains(&uri.scheme().as_str().to_ascii_lowercase().as_str());
    let is_host = |host: &str| !host.is_empty() && !host.contains('%');
    let is_plain = is_web && uri.authority().is_some_and(|authority| is_host(authority.host()));
    is_plain.then(|| Url::parse(text).ok()).flatten()
}

/// A place for a browser to go to: a web URL, or a path below Kratos' public one, such as `/ui/login`. Of a relative
/// reference without its slash Kratos dies when a browser comes (Go's `ParseRequestURI`).
pub fn is_page(text: &str) -> bool {
    match UriRef::parse(text) {
        Ok(reference) if reference.scheme().is_some() => web_url(text).is_some(),
        Ok(reference) => reference.authority().is_none() && text.starts_with('/'),
        Err(_) => false,
    }
}

/// A document that Kratos loads: in itself (`base64://`), on a web server, or in a file of the workload.
pub fn is_document(text: &str) -> bool {
    if let Some(data) = text.strip_prefix("base64://") {
        // Kratos decodes no other form, and an empty document is no Jsonnet.
        let content = BASE64_STANDARD.decode(data).ok().filter(|bytes| !bytes.is_empty());
        return Uri::parse(text).is_ok() && content.is_some_and(|bytes| std::str::from_utf8(&bytes).is_ok());
    }
    let is_file = text.strip_prefix("file:///").is_some_and(|path| !path.is_empty());
    (is_file && Uri::parse(text).is_ok()) || web_url(text).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn web_urls_have_a_host_that_go_takes() {
        for text in [
            "http://a",
            "https://a.b-c_d:8443/p%20q?r=s&t#u",
            "HTTP://[::1]:80/",
            "http://10.1.2.3:4433/a?b=c#d",
        ] {
            assert!(web_url(text).is_some() && is_page(text) && is_document(text), "{text}");
        }
        let none = [
            "",
            " ",
            "ftp://a",
            "http:a",
            "http://",
            "http:///p",
            "http://a b",
            "http://a/b c",
            "http://a/%zz",
            "http://a%41/",
            "http://a:b/",
            "http://a:99999/",
            "http://\u{fc}/",
            "http://a/\n",
            "http://a/{b}",
            "//a/b",
            "http://a/b\\c",
            "http:\\\\a",
            "javascript:alert(1)",
            "tempo:4318",
            "1:2",
            "%",
            "http://[::1",
        ];
        for text in none {
            assert!(web_url(text).is_none() && !is_page(text) && !is_document(text), "{text}");
        }
    }

    #[test]
    fn pages_may_be_relative() {
        for page in ["/", "/ui/login", "/ui/login?flow=1#x"] {
            assert!(is_page(page) && web_url(page).is_none(), "{page}");
        }
        for other in ["ui/login", "?a=b", "#x", "."] {
            assert!(!is_page(other), "{other}");
        }
    }

    #[test]
    fn documents_may_be_in_themselves() {
        for document in ["base64://eyJ9", "base64://YQ==", "file:///etc/x.jsonnet"] {
            assert!(is_document(document), "{document}");
        }
        for document in [
            "base64://",
            "base64://YQ",
            "base64://a",
            "base64://%%",
            "file://relative",
            "file:///",
            "base64:///w==",
            "function() {}",
        ] {
            assert!(!is_document(document), "{document}");
        }
    }
}
