//! Short codes: what is written is read again, and what was changed is noticed.

use opencoin_stack::{CODE_PREFIX, SECRET_BYTES, ShortCode, StackError, find_code};
use proptest::prelude::*;
use zeroize::Zeroizing;

fn example() -> ShortCode {
    ShortCode {
        url: "https://issuer.example".to_owned(),
        issuer: [1, 2, 3, 4, 5, 6, 7, 8],
        secret: Zeroizing::new(std::array::from_fn(|index| index as u8)),
        coins: vec![(1, 3), (2, 2), (5, 2), (10, 1), (1_000, 3)],
    }
}

fn codes() -> impl Strategy<Value = ShortCode> {
    let coins = prop::collection::btree_map(1..=1_u64 << 40, 1..=15_u32, 1..=64);
    let secret = any::<[u8; SECRET_BYTES]>();
    let url = prop::sample::select(vec!["http://127.0.0.1:8080", "https://issuer.example/path"]);
    (url, any::<[u8; 8]>(), secret, coins).prop_map(|(url, issuer, secret, coins)| ShortCode {
        url: url.to_owned(),
        issuer,
        secret: Zeroizing::new(secret),
        coins: coins.into_iter().collect(),
    })
}

#[test]
fn a_code_of_many_coins_is_one_short_line() {
    let code = example();
    assert_eq!((code.amount(), code.denominations().len()), (Some(3_027), 11));
    let text = code.to_text();
    assert!(text.len() <= 160, "{}: {}", text.len(), *text);
    let debug = format!("{code:?}");
    assert!(!debug.contains("secret") && !debug.contains("31"), "{debug}");
}

#[test]
fn a_code_is_found_in_a_text_and_in_capitals() {
    let code = example();
    let text = code.to_text();
    for text in [
        text.to_string(),
        format!("Here you are:\n  {}\n-- \nAlice", *text),
        format!("<a href=\"{}\">coins</a>", *text),
        text.to_uppercase(),
    ] {
        assert_eq!(find_code(&text).unwrap().unwrap(), code, "{text}");
    }
    assert!(find_code("https://issuer.example/#opencoinstack1abc").is_none());
}

#[test]
fn another_version_is_named() {
    let text = example().to_text().replace(CODE_PREFIX, "opencoincode2");
    // Every digit after the name belongs to the number, and a digit of the code may follow it.
    assert!(matches!(find_code(&text), Some(Err(StackError::OtherVersion(_)))));
}

proptest! {
    #[test]
    fn a_code_is_read_again(code in codes()) {
        prop_assert_eq!(find_code(&code.to_text()), Some(Ok(code)));
    }

    #[test]
    fn a_changed_character_is_noticed(code in codes(), at in any::<prop::sample::Index>(), to in "[a-z2-7]") {
        let text = code.to_text();
        let begin = text.find(CODE_PREFIX).unwrap() + CODE_PREFIX.len();
        let at = begin + at.index(text.len() - begin);
        let changed = format!("{}{to}{}", &text[..at], &text[at + 1..]);
        let read = find_code(&changed).unwrap();
        match changed == *text {
            true => prop_assert_eq!(read, Ok(code)),
            false => prop_assert_eq!(read, Err(StackError::CodeDamaged)),
        }
    }

    #[test]
    fn a_changed_host_is_noticed(code in codes()) {
        let text = code.to_text();
        let changed = text.replacen("issuer", "issuer2", 1).replacen("127.0.0.1", "127.0.0.2", 1);
        prop_assert_eq!(find_code(&changed), Some(Err(StackError::CodeDamaged)));
    }

    #[test]
    fn no_text_is_too_strange(text in "(https://a)?/#opencoincode1?[a-z2-7]{0,200}") {
        let _ = find_code(&text);
    }
}

/// The vector of docs/TRANSFER.md.
#[test]
fn the_link_is_that_of_the_vector() {
    let vector: serde_json::Value =
        serde_json::from_str(include_str!("../../../fixtures/transfer/code.json")).unwrap();
    let link = vector["link"].as_str().unwrap();
    let code = find_code(link).unwrap().unwrap();
    assert_eq!(*code.to_text(), link);
    assert_eq!(
        (code.url.as_str(), code.amount()),
        (vector["url"].as_str().unwrap(), vector["amount"].as_u64())
    );
    let id = vector["issuer_id"].as_str().unwrap().parse().unwrap();
    assert_eq!(code.issuer, ShortCode::issuer_bytes(&id));
    let expected: Vec<u8> = (0..SECRET_BYTES as u8).collect();
    assert_eq!(code.secret.as_slice(), expected);
    let coins: Vec<(u64, u32)> = serde_json::from_value(vector["coins"].clone()).unwrap();
    assert_eq!(code.coins, coins);
}
