//! The URLs of issuers and auditors on the command line.

use url::Url;

/// Checks the URL of a server. The paths that are read there are appended to it.
pub(super) fn server_url(text: &str) -> Result<String, String> {
    let url = Url::parse(text).map_err(|_| "not a URL such as https://issuer.example".to_owned())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("a URL begins with https:// or http://".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("the URL of a server has no `?` and no `#`".to_owned());
    }
    Ok(text.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_has_a_url_to_which_paths_can_be_appended() {
        for good in [
            "https://issuer.example",
            "http://127.0.0.1:8080",
            "https://issuer.example/a",
        ] {
            assert_eq!(server_url(good).unwrap(), good);
            assert_eq!(server_url(&format!("{good}/")).unwrap(), good);
        }
        for bad in [
            "",
            "issuer.example",
            "127.0.0.1:8080",
            "ftp://issuer.example",
            "http://",
            "http://no such",
            "https://issuer.example?a=b",
            "https://issuer.example/#a",
        ] {
            assert!(server_url(bad).is_err(), "{bad}");
        }
    }
}
