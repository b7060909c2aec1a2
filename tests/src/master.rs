//! A master key in a folder of its own.

use crate::opencoin;

/// Creates a master key in the folder `vault`, and returns the id of the currency that it will sign for.
#[must_use]
pub fn create_master_key(vault: &str) -> String {
    let created = opencoin(&["master", "create", "--dir", vault, "--key-bits", "3072"]).success();
    let (_, rest) = created.stdout.split_once("the currency's id will be ").unwrap();
    rest.lines().next().unwrap().to_owned()
}
