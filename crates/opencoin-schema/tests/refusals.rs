//! What is refused, and how the error helps whoever sent it.

#![expect(clippy::unwrap_used, reason = "a helper of tests")]

use opencoin_schema::*;

const BLIND: &str =
    r#"{"blinded_payload_hash": "ab", "mint_key_id": "1", "reference": "a", "type": "blinded payload hash"}"#;

fn error(json: &str) -> String {
    AnyDocument::from_json(json.as_bytes()).unwrap_err().to_string()
}

fn mint_with(fourth_blind: &str) -> String {
    format!(
        r#"{{"blinds": [{BLIND}, {BLIND}, {BLIND}, {fourth_blind}], "message_reference": 1, "transaction_reference": "f", "type": "request mint"}}"#
    )
}

#[test]
fn the_error_names_the_field_and_the_reason() {
    assert_eq!(
        error(&mint_with(&BLIND.replace("\"1\"", "\"xyz\""))),
        r#"blinds[3].mint_key_id: not a hex number: "xyz""#
    );
    assert_eq!(
        error(&mint_with(&BLIND.replace("blinded payload hash", "blind"))),
        r#"blinds[3].type: string "blind" is not "blinded payload hash""#
    );
    assert_eq!(
        error(&mint_with(&BLIND.replace("\"reference\": \"a\", ", ""))),
        "blinds[3]: missing field `reference`"
    );
    assert!(
        error(&mint_with(&BLIND.replace("\"reference\"", "\"referenz\"")))
            .starts_with("blinds[3].referenz: unknown field `referenz`")
    );
    assert!(error(&mint_with("7")).starts_with("blinds[3]: 7 is not an object"));
}

#[test]
fn a_document_is_an_object_with_each_field_once() {
    // Fields as a bare list are a habit of serde, not of the specification.
    assert!(
        error(&mint_with(r#"["ab", "1", "a", "blinded payload hash"]"#))
            .starts_with("blinds[3]: an array is not an object")
    );
    assert!(
        error(&mint_with(
            &BLIND.replace("\"type\"", "\"reference\": \"b\", \"type\"")
        ))
        .contains("duplicate field `reference`")
    );
    assert!(
        error(r#"{"type": "coinstack", "coins": [], "subject": ""} {}"#)
            .starts_with("not JSON: trailing characters")
    );
    assert!(error("").starts_with("not JSON: EOF"));
    assert_eq!(error(r#"{"coins": []}"#), "type: missing, or not a string");
    assert_eq!(
        error(r#"{"type": "coin stack"}"#),
        r#"type: unknown type "coin stack""#
    );
    assert!(error(&format!("{}{}", "[".repeat(100_000), "]".repeat(100_000))).contains("an array is not"));
}

#[test]
fn an_integer_is_an_integer() {
    let serial = |number: &str| {
        error(&format!(
            r#"{{"cdd_serial": {number}, "message_reference": 1, "type": "request cddc"}}"#
        ))
    };
    assert!(
        serial("1.0").starts_with("cdd_serial: 1.0 is not a whole number from 0 to 18446744073709551615")
    );
    assert!(serial("-1").starts_with("cdd_serial: -1 is not a whole number"));
    assert!(serial("\"1\"").starts_with("cdd_serial: string \"1\" is not a whole number"));
    assert!(serial("18446744073709551616").starts_with("cdd_serial: "));
    assert!(serial("true").starts_with("cdd_serial: boolean `true` is not a whole number"));
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
fn a_message_reference_that_is_no_integer_is_named() {
    for number in ["1.0", "1e3", "170141183460469231731687303715884105728"] {
        let error = error(&format!(
            r#"{{"message_reference": {number}, "type": "request cdd serial"}}"#
        ));
        assert_eq!(
            error, "message_reference: not an integer, or one of more than 127 bits",
            "{number}"
        );
    }
}

#[test]
fn an_error_stays_short_whatever_was_sent() {
    let json = mint_with(&BLIND.replace("\"reference\"", &format!("\"{}\"", "r".repeat(1_000_000))));
    let error = from_json::<RequestMint>(json.as_bytes()).unwrap_err();
    assert!(error.reason.len() <= 300);
    assert!(error.to_string().len() <= 600, "{}", error.to_string().len());
}

#[test]
fn the_envelope_is_read_from_what_is_otherwise_wrong() {
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
fn a_recoup_is_read_as_strictly_and_names_what_is_wrong() {
    let payload = r#"{"cdd_location": "", "denomination": 1, "issuer_id": "1", "mint_key_id": "2", "protocol_version": "", "serial": "3", "type": "payload"}"#;
    let coin = |seed: &str| {
        format!(
            r#"{{"blind_reference": "a", "blinding_seed": {seed}, "payload": {payload}, "transaction_reference": "f", "type": "revealed coin"}}"#
        )
    };
    let recoup = |coin: &str| {
        format!(
            r#"{{"blinds": [{BLIND}], "coins": [{coin}], "message_reference": 0, "transaction_reference": "e", "type": "request recoup"}}"#
        )
    };
    let json = recoup(&coin("\"5eed\""));
    assert_eq!(
        text::compact(&AnyDocument::from_json(json.as_bytes()).unwrap()),
        json
    );
    assert_eq!(
        error(&recoup(&coin("\"seed\""))),
        r#"coins[0].blinding_seed: not a hex number: "seed""#
    );
    assert!(
        error(&recoup(&coin("7"))).starts_with("coins[0].blinding_seed: 7 is not a hex number in a string")
    );
    let signed = coin("\"5eed\"").replace("\"payload\":", "\"signature\": \"1\", \"payload\":");
    assert!(error(&recoup(&signed)).starts_with("coins[0].signature: unknown field"));
}
