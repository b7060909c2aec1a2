//! Hides passwords in database addresses, so that settings can be shown.

/// Replaces a password.
const HIDDEN: &str = "***";

/// Hides passwords: `postgres://user:***@host/database`, `...?password=***`. Where the end of a password is not clear,
/// hides too much rather than too little.
#[must_use]
pub fn hide_passwords(text: &str) -> String {
    hide_parameters(&hide_user_passwords(text))
}

fn hide_user_passwords(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    // A password may contain an unescaped `@`, `/` or `?`: everything up to the last `@` belongs to it.
    match rest.rsplit_once('@') {
        Some((user, place)) => match user.split_once(':') {
            Some((name, _)) => format!("{scheme}://{name}:{HIDDEN}@{place}"),
            None => text.to_owned(),
        },
        None => text.to_owned(),
    }
}

fn hide_parameters(text: &str) -> String {
    const PARAMETER: &str = "password=";
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(PARAMETER) {
        let (before, value) = rest.split_at(at + PARAMETER.len());
        let end = value
            .find(['&', '"', '\'', '`', ' ', '\n'])
            .unwrap_or(value.len());
        shown.push_str(before);
        shown.push_str(HIDDEN);
        rest = &value[end..];
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_hidden_and_the_rest_stays() {
        for (text, shown) in [
            ("sqlite:ledger.sqlite", "sqlite:ledger.sqlite"),
            ("postgres://opencoin@db/books", "postgres://opencoin@db/books"),
            (
                "postgres://opencoin:s3cret@db/books",
                "postgres://opencoin:***@db/books",
            ),
            (
                "postgres://opencoin:s3:c/r@e?t@db/books",
                "postgres://opencoin:***@db/books",
            ),
            (
                "postgres:///books?host=/run&password=s3cret&user=x",
                "postgres:///books?host=/run&password=***&user=x",
            ),
            (
                "unknown variant `postgres://a:s3cret@b`, expected",
                "unknown variant `postgres://a:***@b`, expected",
            ),
        ] {
            assert_eq!(hide_passwords(text), shown);
        }
    }
}
