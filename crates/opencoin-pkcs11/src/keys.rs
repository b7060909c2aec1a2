//! Mint keys as objects in a token: how they are found, and which public key they are.
//!
//! A key is an object with its private half and one with its public half, both labelled [`LABEL`], with the
//! key's identifier as `CKA_ID`. The identifier is only a help for finding: it is computed again from modulus
//! and exponent.

use cryptoki::error::Result;
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use opencoin_crypto::PublicKey;
use opencoin_schema::{BigInt, RsaPublicKey};

/// What marks an object as a mint key.
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
        // The identifier is missing where a token keeps its own, and where making the key was interrupted.
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

/// The public key of an object; none when the object is no RSA key that this project supports.
pub(crate) fn public_key(session: &Session, handle: ObjectHandle) -> Result<Option<PublicKey>> {
    let Some(modulus) = modulus(session, handle)? else {
        return Ok(None);
    };
    let exponent = match exponent(session, handle)? {
        None => exponent_of_public_half(session, &modulus)?,
        exponent => exponent,
    };
    let exponent = exponent.and_then(|bytes| {
        BigInt::from_be_bytes(&bytes)
            .to_padded_be_bytes(size_of::<u64>())?
            .try_into()
            .ok()
    });
    let Some(exponent) = exponent else { return Ok(None) };
    let document = RsaPublicKey {
        modulus: BigInt::from_be_bytes(&modulus),
        public_exponent: u64::from_be_bytes(exponent),
    };
    Ok(PublicKey::parse(&document).ok())
}

/// The private operation on `input`, which is as long as the modulus; not checked yet.
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

fn modulus(session: &Session, handle: ObjectHandle) -> Result<Option<Vec<u8>>> {
    let attributes = session.get_attributes(handle, &[AttributeType::Modulus])?;
    Ok(attributes.into_iter().find_map(|attribute| {
        if let Attribute::Modulus(bytes) = attribute {
            Some(bytes)
        } else {
            None
        }
    }))
}

fn exponent(session: &Session, handle: ObjectHandle) -> Result<Option<Vec<u8>>> {
    let attributes = session.get_attributes(handle, &[AttributeType::PublicExponent])?;
    let exponent = |attribute| {
        if let Attribute::PublicExponent(bytes) = attribute {
            Some(bytes)
        } else {
            None
        }
    };
    Ok(attributes.into_iter().find_map(exponent))
}

/// PKCS#11 does not demand that a private half tells the public exponent.
fn exponent_of_public_half(session: &Session, modulus: &[u8]) -> Result<Option<Vec<u8>>> {
    let template = [
        Attribute::Class(ObjectClass::PUBLIC_KEY),
        Attribute::Modulus(modulus.to_vec()),
    ];
    match session.find_objects(&template)?.first() {
        Some(handle) => exponent(session, *handle),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use opencoin_testkit::keys::private_key;

    use super::*;

    #[test]
    fn only_the_keys_own_signature_of_the_number_is_one() {
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
