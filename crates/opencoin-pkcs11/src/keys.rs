//! Mint keys as objects in a token: finding them and reading their public keys.
//!
//! A mint key is a pair of objects, a private and a public *half*, with the label [`LABEL`] and the key's identifier
//! as `CKA_ID`. The identifier only speeds up the search: it is always computed again from modulus and exponent.

use cryptoki::error::Result;
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use opencoin_crypto::PublicKey;
use opencoin_schema::{BigInt, RsaPublicKey};

/// Marks an object as a mint key.
pub(crate) const LABEL: &[u8] = b"opencoin mint key";

/// An identifier is a SHA-1.
const ID_BYTES: usize = 20;

/// One half of a key.
pub(crate) struct Half {
    pub(crate) handle: ObjectHandle,
    pub(crate) key: PublicKey,
}

/// All halves of this class.
pub(crate) fn list(session: &Session, class: ObjectClass) -> Result<Vec<Half>> {
    halves(
        session,
        &[Attribute::Class(class), Attribute::Label(LABEL.to_vec())],
    )
}

/// All halves of this class that belong to the key.
pub(crate) fn find(session: &Session, class: ObjectClass, id: &BigInt) -> Result<Vec<Half>> {
    let template = [
        Attribute::Class(class),
        Attribute::Label(LABEL.to_vec()),
        id_attribute(id),
    ];
    let mut found = halves(session, &template)?;
    if found.is_empty() {
        // The identifier is missing if the token chooses identifiers itself, or making the key was interrupted.
        found = list(session, class)?;
    }
    found.retain(|half| half.key.id() == id);
    Ok(found)
}

/// The identifier as the attribute of an object.
pub(crate) fn id_attribute(id: &BigInt) -> Attribute {
    Attribute::Id(
        id.to_padded_be_bytes(ID_BYTES)
            .unwrap_or_else(|| id.as_be_bytes().to_vec()),
    )
}

/// The public key of an object. `None` when it is not a supported RSA key.
pub(crate) fn public_key(session: &Session, handle: ObjectHandle) -> Result<Option<PublicKey>> {
    let [modulus, mut exponent] = numbers(session, handle)?;
    let Some(modulus) = modulus else { return Ok(None) };
    if exponent.is_none() {
        exponent = exponent_of_public_half(session, &modulus)?;
    }
    let exponent = exponent.and_then(|bytes| BigInt::from_be_bytes(&bytes).to_u64());
    let Some(public_exponent) = exponent else {
        return Ok(None);
    };
    let document = RsaPublicKey {
        modulus: BigInt::from_be_bytes(&modulus),
        public_exponent,
    };
    Ok(PublicKey::parse(&document).ok())
}

/// The unchecked result of the private operation on `input`, which is as long as the modulus.
pub(crate) fn sign(session: &Session, private: ObjectHandle, input: &[u8]) -> Result<Vec<u8>> {
    session.sign(&Mechanism::RsaX509, private, input)
}

/// The signature as a number, if it is the key's signature of `input`.
pub(crate) fn check_signature(key: &PublicKey, input: &[u8], signature: &[u8]) -> Option<BigInt> {
    let signature = BigInt::from_be_bytes(signature);
    (key.signed_number(&signature)? == BigInt::from_be_bytes(input)).then_some(signature)
}

fn halves(session: &Session, template: &[Attribute]) -> Result<Vec<Half>> {
    let mut halves = Vec::new();
    for handle in session.find_objects(template)? {
        if let Some(key) = public_key(session, handle)? {
            halves.push(Half { handle, key });
        }
    }
    Ok(halves)
}

/// The modulus and the public exponent of an object, as far as the token gives them.
fn numbers(session: &Session, handle: ObjectHandle) -> Result<[Option<Vec<u8>>; 2]> {
    let [mut modulus, mut exponent] = [None, None];
    for attribute_type in [AttributeType::Modulus, AttributeType::PublicExponent] {
        for attribute in session.get_attributes(handle, &[attribute_type])? {
            match attribute {
                Attribute::Modulus(bytes) => modulus = Some(bytes),
                Attribute::PublicExponent(bytes) => exponent = Some(bytes),
                _ => {}
            }
        }
    }
    Ok([modulus, exponent])
}

/// In PKCS#11 a private half need not have the public exponent.
fn exponent_of_public_half(session: &Session, modulus: &[u8]) -> Result<Option<Vec<u8>>> {
    let template = [
        Attribute::Class(ObjectClass::PUBLIC_KEY),
        Attribute::Modulus(modulus.to_vec()),
    ];
    match session.find_objects(&template)?.first() {
        Some(handle) => {
            let [_, exponent] = numbers(session, *handle)?;
            Ok(exponent)
        }
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use opencoin_testkit::keys::private_key;

    use super::*;

    #[test]
    fn only_the_right_signature_passes_the_check() {
        let key = private_key("signs");
        let input = vec![0x5a; key.public_key().modulus_bytes()];
        let signature = key.raw_sign(&input).unwrap();
        let checked = check_signature(key.public_key(), &input, &signature);
        assert_eq!(checked, Some(BigInt::from_be_bytes(&signature)));

        let mut faulty = signature.clone();
        faulty[100] ^= 1;
        let too_long = [&[1], &signature[..]].concat();
        let of_another = private_key("signs as well").raw_sign(&input).unwrap();
        for wrong in [&faulty, &too_long, &of_another, &input, &Vec::new()] {
            assert_eq!(check_signature(key.public_key(), &input, wrong), None);
        }
    }
}
