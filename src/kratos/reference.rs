//! Which URLs Kratos takes: those that are well formed by RFC 3986 and to the URL parser of Go, which is stricter about
//! hosts.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use fluent_uri::{Uri, UriRef};
use reqwest::Url;

/// An absolute `http` or `https` URL with a host.
pub fn is_web_url(text: &str) -> bool {
    let Ok(uri) = Uri::parse(text) else { return false };
    let is_web = matches!(uri.scheme().as_str().to_ascii_lowercase().as_str(), "http" | "https");
    let is_plain = |host: &str| !host.is_empty() && !host.contains('%');
    is_web && uri.authority().is_some_and(|authority| is_plain(authority.host())) && Url::parse(text).is_ok()
}

/// A place for a browser to go to: an `http(s)` URL, or a reference relative to Kratos' public one.
pub fn is_page(text: &str) -> bool {
    match UriRef::parse(text) {
        Ok(reference) if reference.scheme().is_some() => is_web_url(text),
        Ok(reference) => reference.authority().is_none() && !text.is_empty(),
        Err(_) => false,
    }
}

/// A document that Kratos loads: in itself (`base64://`), on a web server, or in a file of the workload.
pub fn is_document(text: &str) -> bool {
    if let Some(data) = text.strip_prefix("base64://") {
        let content = BASE64_STANDARD.decode(data).or_else(|_| BASE64_URL_SAFE_NO_PAD.decode(data));
        return Uri::parse(text).is_ok() && content.is_ok_and(|bytes| std::str::from_utf8(&bytes).is_ok());
    }
    let is_file =
        || text.strip_prefix("file:///").is_some_and(|path| !path.is_empty()) && Uri::parse(text).is_ok();
    is_file() || is_web_url(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_go_parses_too() {
        for url in ["http://a", "https://a.b-c_d:8443/p%20q?r=s&t#u", "HTTP://[::1]:80/", "http://u:p@h/"] {
            assert!(is_web_url(url) && is_page(url) && is_document(url), "{url}");
        }
        for url in [
            "",
            "ftp://a",
            "http://",
            "http:///p",
            "http://a b",
            "http://a/b c",
            "http://a/%zz",
            "http://a%41/",
            "http://a:b/",
            "http://a:99999/",
            "http://é/",
            "http://a/\n",
            "http://a/{b}",
            "//a/b",
            "http://a/b\\c",
            "javascript:alert(1)",
        ] {
            assert!(!is_web_url(url) && !is_page(url) && !is_document(url), "{url}");
        }
        for page in ["/ui/login", "/ui/login?flow=1#x", "ui/login", "?a=b"] {
            assert!(is_page(page) && !is_web_url(page), "{page}");
        }
        for document in ["base64://eyJ9", "base64://", "base64://YQ==", "file:///etc/x.jsonnet"] {
            assert!(is_document(document), "{document}");
        }
        for document in ["base64://a", "base64://%%", "file://relative", "file:///", "base64:///w=="] {
            assert!(!is_document(document), "{document}");
        }
    }
}
