//! Private keys as RFC 8017 and RFC 5958 write them, PKCS#1 in PKCS#8, with two primes or three. The crate `rsa` reads
//! and writes only those with two.

use num_bigint_dig::{BigUint, ModInverse};
use rsa::RsaPrivateKey;
use rsa::pkcs1::{self, ALGORITHM_ID, UintRef};
use rsa::pkcs8::der::{Encode, SecretDocument};
use rsa::pkcs8::{self, PrivateKeyInfo};
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use zeroize::Zeroizing;

use crate::key_error::KeyError;

/// The parts of a key: n, e, d, p, q, dP, dQ, qInv, and r_3, d_3, t_3 if it has a third prime, with the names of RFC
/// 8017 section 3.2. Big-endian.
pub(super) fn parts(key: &RsaPrivateKey) -> Result<Vec<Zeroizing<Vec<u8>>>, KeyError> {
    let secret = |number: &BigUint| Zeroizing::new(number.to_bytes_be());
    let exponent = |prime: &BigUint| {
        let order = Zeroizing::new(prime - 1_u8);
        secret(&Zeroizing::new(key.d() % &*order))
    };
    let (p, q, other) = match key.primes() {
        [p, q] => (p, q, None),
        [p, q, r] => (p, q, Some(r)),
        _ => return Err(KeyError::Inconsistent),
    };
    let mut parts = vec![
        secret(key.n()),
        secret(key.e()),
        secret(key.d()),
        secret(p),
        secret(q),
        exponent(p),
        exponent(q),
        inverse(q, p)?,
    ];
    if let Some(r) = other {
        let pq = Zeroizing::new(p * q);
        parts.extend([secret(r), exponent(r), inverse(&pq, r)?]);
    }
    Ok(parts)
}

/// `number^-1 mod modulus`.
fn inverse(number: &BigUint, modulus: &BigUint) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let inverse = Zeroizing::new(number.mod_inverse(modulus).ok_or(KeyError::Inconsistent)?);
    Ok(Zeroizing::new(inverse.to_bytes_be().1))
}

/// Reads a key with two or three primes, whose numbers belong together.
pub(super) fn read(info: PrivateKeyInfo<'_>) -> Result<RsaPrivateKey, pkcs8::Error> {
    let document = pkcs1::RsaPrivateKey::try_from(info.private_key)?;
    let Some(others) = &document.other_prime_infos else {
        return RsaPrivateKey::try_from(info);
    };
    let [other] = &others[..] else {
        return Err(pkcs8::Error::KeyMalformed);
    };
    if info.algorithm != ALGORITHM_ID {
        return Err(pkcs8::Error::KeyMalformed);
    }
    let number = |part: UintRef<'_>| BigUint::from_bytes_be(part.as_bytes());
    let key = RsaPrivateKey::from_components(
        number(document.modulus),
        number(document.public_exponent),
        number(document.private_exponent),
        vec![
            number(document.prime1),
            number(document.prime2),
            number(other.prime),
        ],
    )
    .map_err(|_| pkcs8::Error::KeyMalformed)?;
    // The key has calculated these from the others.
    let derived = [
        (5, document.exponent1),
        (6, document.exponent2),
        (7, document.coefficient),
        (9, other.exponent),
        (10, other.coefficient),
    ];
    let parts = parts(&key).map_err(|_| pkcs8::Error::KeyMalformed)?;
    if derived
        .iter()
        .all(|(index, part)| parts[*index][..] == *part.as_bytes())
    {
        Ok(key)
    } else {
        Err(pkcs8::Error::KeyMalformed)
    }
}

/// The key as DER `PrivateKeyInfo`.
pub(super) fn write(key: &RsaPrivateKey) -> Result<SecretDocument, pkcs8::Error> {
    let parts = parts(key).map_err(|_| pkcs8::Error::KeyMalformed)?;
    let mut numbers = Vec::new();
    for part in &parts {
        numbers.push(UintRef::new(part)?);
    }
    let (first, others) = numbers.split_at(8);
    let other_prime_infos = others
        .chunks_exact(3)
        .map(|other| pkcs1::OtherPrimeInfo {
            prime: other[0],
            exponent: other[1],
            coefficient: other[2],
        })
        .collect::<Vec<_>>();
    let document = Zeroizing::new(
        pkcs1::RsaPrivateKey {
            modulus: first[0],
            public_exponent: first[1],
            private_exponent: first[2],
            prime1: first[3],
            prime2: first[4],
            exponent1: first[5],
            exponent2: first[6],
            coefficient: first[7],
            other_prime_infos: Some(other_prime_infos).filter(|infos| !infos.is_empty()),
        }
        .to_der()?,
    );
    PrivateKeyInfo::new(ALGORITHM_ID, &document).try_into()
}
