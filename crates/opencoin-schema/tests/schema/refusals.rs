//! Texts that are refused, and errors that tell their sender what to correct.

use opencoin_schema::*;

const BLIND: &str =
    r#"{"blinded_payload_hash": "ab", "mint_key_id": "1", "reference": "a", "type": "blinded payload hash"}"#;

fn error(json: impl AsRef<[u8]>) -> String {
    AnyDocument::from_json(json.as_ref()).unwrap_err().to_string()
}

fn mint_with(fourth_blind: &str) -> String {
    format!(
        r#"{{"blinds": [{BLIND}, {BLIND}, {BLIND}, {fourth_blind}], "message_reference": 1, "transaction_reference": "f", "type": "request mint"}}"#
    )
}

/// A recoup of one coin with this blinding seed.
pub(crate) fn recoup(seed: &str) -> String {
    let payload = r#"{"cdd_location": "", "denomination": 1, "issuer_id": "1", "mint_key_id": "2", "protocol_version": "", "serial": "3", "type": "payload"}"#;
    let coin = format!(
        r#"{{"blind_reference": "a", "blinding_seed": "{seed}", "payload": {payload}, "transaction_reference": "f", "type": "revealed coin"}}"#
    );
    format!(
        r#"{{"blinds": [{BLIND}], "coins": [{coin}], "message_reference": 0, "transaction_reference": "e", "type": "request recoup"}}"#
    )
}

#[test]
fn the_error_names_the_field_and_the_reason() {
    // A change of the fourth blind, and the beginning of the error.
    for (from, to, expected) in [
        (
            r#""1""#,
            r#""xyz""#,
            r#"blinds[3].mint_key_id: not a hex number: "xyz""#,
        ),
        (
            "blinded payload hash",
            "blind",
            r#"blinds[3].type: string "blind" is not "blinded payload hash""#,
        ),
        (
            r#""reference": "a", "#,
            "",
            "blinds[3]: missing field `reference`",
        ),
        (
            r#""reference""#,
            r#""referenz""#,
            "blinds[3].referenz: unknown field `referenz`",
        ),
        (
            r#""type""#,
            r#""reference": "b", "type""#,
            "blinds[3]: duplicate field `reference`",
        ),
        (BLIND, "7", "blinds[3]: 7 is not an object"),
        // serde reads structs from lists as well; the specification does not.
        (
            BLIND,
            r#"["ab", "1", "a", "blinded payload hash"]"#,
            "blinds[3]: an array is not an object",
        ),
    ] {
        let error = error(mint_with(&BLIND.replace(from, to)));
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn a_document_is_one_object_of_a_known_type() {
    let nested = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for (json, expected) in [
        (
            r#"{"type": "coinstack", "coins": [], "subject": ""} {}"#,
            "not JSON: trailing characters",
        ),
        ("", "not JSON: EOF"),
        (r#"{"coins": []}"#, "type: missing, or not a string"),
        (r#"{"type": "coin stack"}"#, r#"type: unknown type "coin stack""#),
        (&nested, "an array is not"),
    ] {
        let error = error(json);
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn an_integer_is_not_rounded_negated_or_read_from_a_string() {
    for (number, expected) in [
        (
            "1.0",
            "cdd_serial: 1.0 is not a whole number from 0 to 18446744073709551615",
        ),
        ("-1", "cdd_serial: -1 is not a whole number"),
        ("\"1\"", "cdd_serial: string \"1\" is not a whole number"),
        ("18446744073709551616", "cdd_serial: "),
        ("true", "cdd_serial: boolean `true` is not a whole number"),
    ] {
        let error = error(format!(
            r#"{{"cdd_serial": {number}, "message_reference": 1, "type": "request cddc"}}"#
        ));
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn a_message_reference_is_any_integer_and_comes_back_unchanged() {
    for number in ["0", "-1", "18446744073709551615", "-9223372036854775808"] {
        let json = format!(r#"{{"message_reference": {number}, "type": "request cdd serial"}}"#);
        assert_eq!(
            text::compact(&AnyDocument::from_json(json.as_bytes()).unwrap()),
            json
        );
    }
}

#[test]
fn the_error_names_a_message_reference_that_is_not_an_integer() {
    for number in ["1.0", "1e3", "170141183460469231731687303715884105728"] {
        let error = error(format!(
            r#"{{"message_reference": {number}, "type": "request cdd serial"}}"#
        ));
        assert_eq!(
            error, "message_reference: not an integer, or one of more than 127 bits",
            "{number}"
        );
    }
}

#[test]
fn an_error_does_not_repeat_long_input() {
    let json = mint_with(&BLIND.replace("\"reference\"", &format!("\"{}\"", "r".repeat(1_000_000))));
    let error = from_json::<RequestMint>(json.as_bytes()).unwrap_err();
    assert!(error.reason.len() <= 300);
    assert!(error.to_string().len() <= 600, "{}", error.to_string().len());
}

#[test]
fn the_envelope_is_read_from_an_invalid_document() {
    let peek = |json: &str| Envelope::peek(json.as_bytes());
    let envelope =
        peek(r#"{"type": "request mint", "blinds": 7, "x": {"type": "y"}, "message_reference": 5}"#).unwrap();
    assert_eq!(
        envelope,
        Envelope {
            type_name: Some("request mint".to_owned()),
            message_reference: Some(5)
        }
    );
    assert_eq!(
        peek(r#"{"type": 5, "message_reference": "7"}"#).unwrap(),
        Envelope::default()
    );
    assert!(peek("[]").is_err());
    assert!(peek(r#"{"type": "request mint""#).is_err());
}

#[test]
fn a_recoup_is_read_strictly() {
    let json = recoup("5eed");
    assert_eq!(
        text::compact(&AnyDocument::from_json(json.as_bytes()).unwrap()),
        json
    );
    for (json, expected) in [
        (
            recoup("seed"),
            r#"coins[0].blinding_seed: not a hex number: "seed""#,
        ),
        (
            json.replace("\"5eed\"", "7"),
            "coins[0].blinding_seed: 7 is not a hex number in a string",
        ),
        (
            json.replace("\"payload\":", "\"signature\": \"1\", \"payload\":"),
            "coins[0].signature: unknown field",
        ),
    ] {
        let error = error(json);
        assert!(error.starts_with(expected), "{error}");
    }
}
