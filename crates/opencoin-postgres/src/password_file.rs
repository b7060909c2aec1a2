//! Reads passwords from the file that `PGPASSFILE` names, as libpq does (PostgreSQL manual, "The Password
//! File"). A line is `host:port:database:user:password`, where `*` matches anything and `\` escapes `:` and
//! `\`. sqlx also reads the file, but does not unescape passwords and does not say why it ignores a file.

use std::path::Path;
use std::{env, fs};

use opencoin_ledger::LedgerError;
use sqlx::postgres::PgConnectOptions;

const VARIABLE: &str = "PGPASSFILE";
/// Host, port, database, user, password.
const FIELDS: usize = 5;
/// Permission bits that the file must not have: those of group and others.
const OTHERS: u32 = 0o077;
/// The host name that matches connections over a Unix socket.
const SOCKET_HOST: &str = "localhost";

/// Adds the password of the file to the options. Does nothing if `PGPASSFILE` is not set, `PGPASSWORD` is
/// set, or no line matches.
///
/// # Errors
/// The file cannot be read, or others can read it.
pub(crate) fn with_password(options: PgConnectOptions) -> Result<PgConnectOptions, LedgerError> {
    let Some(path) = env::var_os(VARIABLE).filter(|_| env::var_os("PGPASSWORD").is_none()) else {
        return Ok(options);
    };
    let text = read(Path::new(&path))?;
    let host = if options.get_socket().is_some() || options.get_host().starts_with('/') {
        SOCKET_HOST
    } else {
        options.get_host()
    };
    let user = options.get_username();
    let database = options.get_database().unwrap_or(user);
    let wanted = [host, &options.get_port().to_string(), database, user];
    Ok(match find(&text, wanted) {
        Some(password) => options.password(&password),
        None => options,
    })
}

fn read(path: &Path) -> Result<String, LedgerError> {
    let refused =
        |reason: &str| LedgerError::Address(format!("{VARIABLE} names {}: {reason}", path.display()));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(path)
            .map_err(|error| refused(&error.to_string()))?
            .permissions()
            .mode();
        if mode & OTHERS != 0 {
            let reason = format!(
                "others can read it (mode {:04o}): run `chmod 600` on it",
                mode & 0o7777
            );
            return Err(refused(&reason));
        }
    }
    fs::read_to_string(path).map_err(|error| refused(&error.to_string()))
}

/// Returns the password of the first line that matches this host, port, database and user.
fn find(text: &str, wanted: [&str; 4]) -> Option<String> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .find_map(|line| {
            let fields = fields(line);
            let [host, port, database, user, password] = fields.as_slice() else {
                return None;
            };
            let matches = |(field, wanted): (&&(String, bool), &str)| {
                field.0 == wanted || **field == ("*".to_owned(), false)
            };
            let is_match = [host, port, database, user].iter().zip(wanted).all(matches);
            is_match.then(|| password.0.clone())
        })
}

/// Splits a line into fields, each with whether it contains an escape. The last field is the rest of the
/// line.
fn fields(line: &str) -> Vec<(String, bool)> {
    let (mut fields, mut field, mut characters) = (Vec::new(), (String::new(), false), line.chars());
    while let Some(character) = characters.next() {
        match character {
            ':' if fields.len() < FIELDS - 1 => fields.push(std::mem::take(&mut field)),
            '\\' => {
                field.1 = true;
                field.0.extend(characters.next());
            }
            character => field.0.push(character),
        }
    }
    fields.push(field);
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: [&str; 4] = ["db.example", "5432", "books", "opencoin"];

    #[test]
    fn the_first_line_that_matches_is_used() {
        let find = |text: &str| find(text, WANTED);
        assert_eq!(
            find("db.example:5432:books:opencoin:secret").as_deref(),
            Some("secret")
        );
        assert_eq!(
            find("# note\nother:*:*:*:a\n*:*:*:opencoin:b\n*:*:*:*:c").as_deref(),
            Some("b")
        );
        assert_eq!(find(r"*:*:*:*:a\:b\\c").as_deref(), Some(r"a:b\c"));
        assert_eq!(
            find("*:*:*:*:a:b").as_deref(),
            Some("a:b"),
            "the last field is the rest of the line"
        );
        assert_eq!(find(r"\*:*:*:*:a"), None, "an escaped star is a name");
        assert_eq!(find("*:*:*:postgres:a"), None);
        assert_eq!(find("too:short"), None);
        assert_eq!(find(""), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_read_is_an_error() {
        use std::os::unix::fs::PermissionsExt;
        let path = env::temp_dir().join(format!("opencoin-pgpass-{}", std::process::id()));
        fs::write(&path, "*:*:*:*:secret").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(
            error.contains("mode 0644") && !error.contains("secret"),
            "{error}"
        );
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(read(&path).is_ok());
        fs::remove_file(&path).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains(VARIABLE));
    }
}
