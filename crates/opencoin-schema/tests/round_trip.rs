//! Whatever can be written can be read again as the same, and nothing that is read can make the decoder
//! panic.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use chrono::DateTime;
use opencoin_schema::*;
use proptest::prelude::*;

fn number() -> BoxedStrategy<BigInt> {
    prop::collection::vec(any::<u8>(), 0..48)
        .prop_map(|bytes| BigInt::from_be_bytes(&bytes))
        .boxed()
}

fn string() -> BoxedStrategy<String> {
    prop_oneof![
        "[a-z:/.]{0,12}",
        "\\PC{0,8}",
        prop::collection::vec(any::<char>(), 0..6).prop_map(String::from_iter)
    ]
    .boxed()
}

fn moment() -> BoxedStrategy<Timestamp> {
    (0_i64..4_000_000_000_000_000)
        .prop_map(|unix_us| Timestamp::from_utc(DateTime::from_timestamp_micros(unix_us).unwrap()))
        .boxed()
}

fn urls() -> BoxedStrategy<Vec<WeightedUrl>> {
    prop::collection::vec(
        (any::<i64>(), string()).prop_map(|(weight, url)| WeightedUrl(weight, url)),
        0..3,
    )
    .boxed()
}

fn key() -> BoxedStrategy<RsaPublicKey> {
    (number(), any::<u64>())
        .prop_map(|(modulus, public_exponent)| RsaPublicKey {
            modulus,
            public_exponent,
        })
        .boxed()
}

fn cddc() -> BoxedStrategy<Cddc> {
    let texts = (string(), string(), string(), string(), string());
    let lists = (
        prop::collection::vec(any::<u64>(), 0..4),
        urls(),
        urls(),
        urls(),
        urls(),
    );
    (
        texts,
        lists,
        (moment(), moment()),
        (any::<u64>(), any::<u64>()),
        key(),
        number(),
    )
        .prop_map(|(texts, lists, moments, numbers, key, signature)| Cddc {
            cdd: Cdd {
                additional_info: texts.0,
                cdd_expiry_date: moments.0,
                cdd_location: texts.1,
                cdd_serial: numbers.0,
                cdd_signing_date: moments.1,
                currency_divisor: numbers.1,
                currency_name: texts.2,
                denominations: lists.0,
                id: key.id(),
                info_service: lists.1,
                issuer_cipher_suite: texts.3,
                issuer_public_master_key: key,
                mint_service: lists.2,
                protocol_version: texts.4,
                redeem_service: lists.3,
                renew_service: lists.4,
            },
            signature,
        })
        .boxed()
}

fn mkc() -> BoxedStrategy<Mkc> {
    (
        (any::<u64>(), any::<u64>()),
        (moment(), moment(), moment()),
        key(),
        number(),
        number(),
    )
        .prop_map(|(numbers, moments, key, issuer_id, signature)| Mkc {
            mint_key: MintKey {
                cdd_serial: numbers.0,
                coins_expiry_date: moments.0,
                denomination: numbers.1,
                id: key.id(),
                issuer_id,
                public_mint_key: key,
                sign_coins_not_after: moments.1,
                sign_coins_not_before: moments.2,
            },
            signature,
        })
        .boxed()
}

fn coin() -> BoxedStrategy<Coin> {
    (
        string(),
        any::<u64>(),
        number(),
        number(),
        string(),
        number(),
        number(),
    )
        .prop_map(
            |(cdd_location, denomination, issuer_id, mint_key_id, protocol_version, serial, signature)| {
                Coin {
                    payload: Payload {
                        cdd_location,
                        denomination,
                        issuer_id,
                        mint_key_id,
                        protocol_version,
                        serial,
                    },
                    signature,
                }
            },
        )
        .boxed()
}

fn coins() -> BoxedStrategy<Vec<Coin>> {
    prop::collection::vec(coin(), 0..3).boxed()
}

fn blind() -> BoxedStrategy<Blind> {
    (number(), number(), string())
        .prop_map(|(blinded_payload_hash, mint_key_id, reference)| Blind {
            blinded_payload_hash,
            mint_key_id,
            reference,
        })
        .boxed()
}

fn blinds() -> BoxedStrategy<Vec<Blind>> {
    prop::collection::vec(blind(), 0..3).boxed()
}

fn blind_signature() -> BoxedStrategy<BlindSignature> {
    (number(), string())
        .prop_map(|(blind_signature, reference)| BlindSignature {
            blind_signature,
            reference,
        })
        .boxed()
}

fn revealed_coin() -> BoxedStrategy<RevealedCoin> {
    (string(), number(), coin(), number())
        .prop_map(
            |(blind_reference, blinding_seed, coin, transaction_reference)| RevealedCoin {
                blind_reference,
                blinding_seed,
                payload: coin.payload,
                transaction_reference,
            },
        )
        .boxed()
}

fn message_reference() -> BoxedStrategy<i128> {
    prop_oneof![
        any::<i64>().prop_map(i128::from),
        any::<u64>().prop_map(i128::from)
    ]
    .boxed()
}

fn status() -> BoxedStrategy<(i128, u16, String)> {
    (message_reference(), any::<u16>(), string()).boxed()
}

fn element() -> BoxedStrategy<AnyDocument> {
    prop_oneof![
        key().prop_map(AnyDocument::RsaPublicKey),
        cddc().prop_map(|cddc| AnyDocument::Cdd(cddc.cdd)),
        cddc().prop_map(AnyDocument::Cddc),
        mkc().prop_map(|mkc| AnyDocument::MintKey(mkc.mint_key)),
        mkc().prop_map(AnyDocument::Mkc),
        coin().prop_map(|coin| AnyDocument::Payload(coin.payload)),
        coin().prop_map(AnyDocument::Coin),
        (coins(), string()).prop_map(|(coins, subject)| AnyDocument::CoinStack(CoinStack { coins, subject })),
        blind().prop_map(AnyDocument::Blind),
        blind_signature().prop_map(AnyDocument::BlindSignature),
        revealed_coin().prop_map(AnyDocument::RevealedCoin),
    ]
    .boxed()
}

fn request() -> BoxedStrategy<AnyDocument> {
    prop_oneof![
        message_reference().prop_map(
            |message_reference| AnyDocument::RequestCddSerial(RequestCddSerial { message_reference })
        ),
        (any::<u64>(), message_reference()).prop_map(|(cdd_serial, message_reference)| {
            AnyDocument::RequestCddc(RequestCddc {
                cdd_serial,
                message_reference,
            })
        }),
        (
            prop::collection::vec(any::<u64>(), 0..3),
            message_reference(),
            prop::collection::vec(number(), 0..3)
        )
            .prop_map(|(denominations, message_reference, mint_key_ids)| {
                AnyDocument::RequestMintKeyCertificates(RequestMintKeyCertificates {
                    denominations,
                    message_reference,
                    mint_key_ids,
                })
            }),
        (blinds(), message_reference(), number()).prop_map(
            |(blinds, message_reference, transaction_reference)| {
                AnyDocument::RequestMint(RequestMint {
                    blinds,
                    message_reference,
                    transaction_reference,
                })
            }
        ),
        (blinds(), coins(), message_reference(), number()).prop_map(
            |(blinds, coins, message_reference, transaction_reference)| AnyDocument::RequestRenew(
                RequestRenew {
                    blinds,
                    coins,
                    message_reference,
                    transaction_reference
                }
            )
        ),
        (
            blinds(),
            prop::collection::vec(revealed_coin(), 0..3),
            message_reference(),
            number()
        )
            .prop_map(|(blinds, coins, message_reference, transaction_reference)| {
                AnyDocument::RequestRecoup(RequestRecoup {
                    blinds,
                    coins,
                    message_reference,
                    transaction_reference,
                })
            }),
        (message_reference(), number()).prop_map(|(message_reference, transaction_reference)| {
            AnyDocument::RequestResume(RequestResume {
                message_reference,
                transaction_reference,
            })
        }),
        (coins(), message_reference()).prop_map(|(coins, message_reference)| AnyDocument::RequestRedeem(
            RequestRedeem {
                coins,
                message_reference
            }
        )),
    ]
    .boxed()
}

fn response() -> BoxedStrategy<AnyDocument> {
    prop_oneof![
        (any::<u64>(), status()).prop_map(
            |(cdd_serial, (message_reference, status_code, status_description))| {
                AnyDocument::ResponseCddSerial(ResponseCddSerial {
                    cdd_serial,
                    message_reference,
                    status_code,
                    status_description,
                })
            }
        ),
        (prop::option::of(cddc()), status()).prop_map(
            |(cddc, (message_reference, status_code, status_description))| {
                AnyDocument::ResponseCddc(ResponseCddc {
                    cddc,
                    message_reference,
                    status_code,
                    status_description,
                })
            }
        ),
        (prop::collection::vec(mkc(), 0..3), status()).prop_map(
            |(keys, (message_reference, status_code, status_description))| {
                AnyDocument::ResponseMintKeyCertificates(ResponseMintKeyCertificates {
                    keys,
                    message_reference,
                    status_code,
                    status_description,
                })
            }
        ),
        (prop::collection::vec(blind_signature(), 0..3), status()).prop_map(
            |(blind_signatures, (message_reference, status_code, status_description))| {
                AnyDocument::ResponseMint(ResponseMint {
                    blind_signatures,
                    message_reference,
                    status_code,
                    status_description,
                })
            }
        ),
        status().prop_map(
            |(message_reference, status_code, status_description)| AnyDocument::ResponseDelay(
                ResponseDelay {
                    message_reference,
                    status_code,
                    status_description
                }
            )
        ),
        status().prop_map(
            |(message_reference, status_code, status_description)| AnyDocument::ResponseRedeem(
                ResponseRedeem {
                    message_reference,
                    status_code,
                    status_description
                }
            )
        ),
    ]
    .boxed()
}

proptest! {
    #[test]
    fn every_document_survives_the_way_through_its_text(document in prop_oneof![element(), request(), response()]) {
        let compact = text::compact(&document);
        prop_assert!(compact.bytes().all(|byte| (0x20..=0x7e).contains(&byte)));
        prop_assert_eq!(&AnyDocument::from_json(compact.as_bytes()).unwrap(), &document);
        prop_assert!(text::pretty(&document).bytes().all(|byte| byte == b'\n' || (0x20..=0x7e).contains(&byte)));
    }

    #[test]
    fn random_bytes_never_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = AnyDocument::from_json(&bytes);
        let _ = Envelope::peek(&bytes);
    }

    #[test]
    fn mutated_documents_never_make_it_panic(document in prop_oneof![element(), request(), response()], at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut json = text::compact(&document).into_bytes();
        let at = at.index(json.len());
        json[at] = byte;
        if let Ok(read) = AnyDocument::from_json(&json) {
            // What was accepted is a document: it can be written and read again.
            prop_assert_eq!(AnyDocument::from_json(text::compact(&read).as_bytes()).unwrap(), read);
        }
    }
}
