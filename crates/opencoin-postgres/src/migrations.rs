//! The migrations, compiled into the program. They are listed here because sqlx's `migrate!` macro would
//! compile all of sqlx a second time.

use std::borrow::Cow;
use std::sync::LazyLock;

use sqlx::migrate::{Migration, MigrationType, Migrator};

/// The files of `migrations/postgres`, oldest first. Each name begins with the version.
macro_rules! files {
    ($($name:literal,)*) => {
        [$(($name, include_str!(concat!("../../../migrations/postgres/", $name, ".sql")))),*]
    };
}

const FILES: &[(&str, &str)] = &files![
    "0001_ledger",
    "0002_auditors_and_keys",
    "0003_operators",
    "0004_bank",
];

pub(crate) static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| Migrator {
    migrations: FILES.iter().map(|(name, sql)| migration(name, sql)).collect(),
    ..Migrator::DEFAULT
});

fn migration(name: &str, sql: &'static str) -> Migration {
    let (version, description) = name.split_once('_').expect("names are VERSION_DESCRIPTION");
    let version = version.parse().expect("versions are numbers");
    let description = Cow::Owned(description.replace('_', " "));
    Migration::new(
        version,
        description,
        MigrationType::Simple,
        Cow::Borrowed(sql),
        false,
    )
}

/// The migrations and one more, as of a later version of this program.
#[cfg(test)]
pub(crate) fn with_another(sql: &'static str) -> Migrator {
    let migrations = FILES.iter().map(|(name, sql)| migration(name, sql));
    Migrator {
        migrations: migrations.chain([migration("9999_another", sql)]).collect(),
        ..Migrator::DEFAULT
    }
}

/// The migrations of the first version of this program.
#[cfg(test)]
pub(crate) fn first() -> Migrator {
    let (name, sql) = FILES[0];
    Migrator {
        migrations: vec![migration(name, sql)].into(),
        ..Migrator::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[tokio::test]
    async fn the_list_matches_the_folder() {
        let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations/postgres"));
        let fields = |migrator: &Migrator| -> Vec<_> {
            let migrations = migrator.iter();
            migrations
                .map(|one| (one.version, one.description.clone(), one.checksum.clone()))
                .collect()
        };
        assert_eq!(fields(&MIGRATIONS), fields(&Migrator::new(folder).await.unwrap()));
    }
}
