//! The whole documents and vectors of the reference run, if they are beside the checkout, are read and written
//! byte for byte.

use std::fs;
use std::path::PathBuf;

use opencoin_schema::{AnyDocument, BigInt, text};
use serde_json::Value;
use sha1::{Digest, Sha1};

fn shared_spec() -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/spec");
    if !folder.is_dir() {
        println!("SKIPPED: there is no reference run in {}", folder.display());
        return None;
    }
    Some(folder)
}

#[test]
fn whole_examples_are_reproduced() {
    let Some(folder) = shared_spec() else { return };
    let mut documents = 0;
    let mut secret_keys = 0;
    for entry in fs::read_dir(folder.join("examples")).unwrap() {
        let path = entry.unwrap().path();
        let json = fs::read_to_string(&path).unwrap();
        if path.to_string_lossy().ends_with("_secret.json") {
            // A secret key is not a document: it has no `type`.
            assert_eq!(AnyDocument::from_json(json.as_bytes()).unwrap_err().path, "type");
            secret_keys += 1;
            continue;
        }
        let document = AnyDocument::from_json(json.as_bytes())
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(text::pretty(&document), json.trim_end(), "{}", path.display());
        assert_eq!(
            AnyDocument::from_json(text::compact(&document).as_bytes()).unwrap(),
            document
        );
        match document {
            AnyDocument::Cdd(cdd) => assert_eq!(cdd.id, cdd.issuer_public_master_key.id()),
            AnyDocument::MintKey(mint_key) => assert_eq!(mint_key.id, mint_key.public_mint_key.id()),
            _ => {}
        }
        documents += 1;
    }
    assert_eq!((documents, secret_keys), (52, 4));
}

#[test]
fn vectors_are_reproduced() {
    let Some(folder) = shared_spec() else { return };
    let vectors: Value = serde_json::from_slice(&fs::read(folder.join("vectors.json")).unwrap()).unwrap();
    let vectors = vectors.as_array().unwrap();
    assert!(!vectors.is_empty());
    for vector in vectors {
        let field = |name: &str| vector.get(name).and_then(Value::as_str);
        let name = field("name").unwrap();
        let read = AnyDocument::from_json(field("input").unwrap().as_bytes());
        if field("error").is_some() {
            assert!(read.is_err(), "{name} must be refused");
            continue;
        }
        let document = read.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(document.type_name(), field("type").unwrap(), "{name}");
        assert_eq!(text::compact(&document), field("compact").unwrap(), "{name}");
        assert_eq!(text::pretty(&document), field("pretty").unwrap(), "{name}");
        let sha1 = BigInt::from_be_bytes(&Sha1::digest(text::compact(&document)));
        assert_eq!(sha1, field("sha1").unwrap().parse().unwrap(), "{name}");
    }
}
