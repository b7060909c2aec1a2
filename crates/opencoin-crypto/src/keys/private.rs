//! Private keys: generated and used by AWS-LC, stored and read with the crate `rsa`.

use std::fmt;
use std::sync::OnceLock;

use num_bigint_dig::BigUint;
use opencoin_lanes::{Instructions, LANES, PrimePart, PrivateOperation};
use opencoin_schema::{BigInt, RsaPublicKey};
use rsa::RsaPrivateKey;
use rsa::pkcs1::DecodeRsaPrivateKey;
use rsa::pkcs8::der::SecretDocument;
use rsa::pkcs8::der::pem::PemLabel;
use rsa::pkcs8::{LineEnding, PrivateKeyInfo};
use rsa::rand_core::{CryptoRngCore, OsRng};
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{KeyPrimes, PublicKey, encrypted_pem, pkcs1};
use crate::aws_lc::{self, NewThreePrimeKey, PrivateHandle};
use crate::emsa_pss;
use crate::key_error::{
    KeyError, OperationError, PUBLIC_EXPONENT, THREE_PRIMES_KEY_BITS_MIN, check_key_length,
};
use crate::lanes;
use crate::numbers::to_big_int;

/// An RSA private key: a master key, or a mint key. Erased from memory when dropped; `Debug` shows only its
/// identifier.
pub struct PrivateKey {
    public: PublicKey,
    handle: PrivateHandle,
    /// Made by [`Self::prepare_groups`] or the first group. `None` if this process uses no lanes, or not for this key.
    lanes: OnceLock<Option<PrivateOperation>>,
    /// Kept to write the key again. Erases itself.
    stored: RsaPrivateKey,
}

/// The fewest numbers for which a group in lanes takes less time than one after the other in AWS-LC, by the number of
/// primes. With two, a group of up to four takes about as long as two operations in AWS-LC. With three, even one number
/// takes less: lanes raise it modulo all primes at once, and AWS-LC has no special code for three.
const GROUP_MIN_TWO_PRIMES: usize = 3;
const GROUP_MIN_THREE_PRIMES: usize = 1;

impl PrivateKey {
    /// Generates a key of `bits` with two primes of the same size and the public exponent 65537, from the system's
    /// randomness. Takes tenths of a second for 2048 bits and seconds for large keys.
    ///
    /// # Errors
    /// [`KeyError::ModulusBits`] or [`KeyError::BitsStep`] if no key has this length.
    pub fn generate(bits: usize) -> Result<Self, KeyError> {
        check_key_length(bits)?;
        let bits = i32::try_from(bits).expect("KEY_BITS_MAX fits");
        let der = aws_lc::generate_key(bits, PUBLIC_EXPONENT).map_err(|_| KeyError::Inconsistent)?;
        Self::from_stored(RsaPrivateKey::from_pkcs1_der(&der).map_err(|_| KeyError::Inconsistent)?)
    }

    /// As [`Self::generate`], with this number of primes. Keys with three take less time to generate.
    ///
    /// # Errors
    /// Also [`KeyError::TooShortForThreePrimes`].
    pub fn generate_with(bits: usize, primes: KeyPrimes) -> Result<Self, KeyError> {
        match primes {
            KeyPrimes::Two => Self::generate(bits),
            KeyPrimes::Three => Self::generate_three_primes(bits),
        }
    }

    fn generate_three_primes(bits: usize) -> Result<Self, KeyError> {
        check_key_length(bits)?;
        if bits < THREE_PRIMES_KEY_BITS_MIN {
            return Err(KeyError::TooShortForThreePrimes(bits));
        }
        let NewThreePrimeKey {
            primes,
            private_exponent,
        } = aws_lc::generate_three_primes(bits, PUBLIC_EXPONENT).map_err(|_| KeyError::Inconsistent)?;
        let primes = primes.map(|prime| BigUint::from_bytes_be(&prime));
        let modulus: BigUint = primes.iter().product();
        assert_eq!(modulus.bits(), bits, "the primes are large enough");
        let private_exponent = BigUint::from_bytes_be(&private_exponent);
        let stored =
            RsaPrivateKey::from_components(modulus, PUBLIC_EXPONENT.into(), private_exponent, primes.into())
                .map_err(|_| KeyError::Inconsistent)?;
        Self::from_stored(stored)
    }

    /// Reads a key that [`Self::to_pkcs8_pem`] or another program (`openssl genpkey -algorithm RSA`) has written.
    ///
    /// # Errors
    /// When the text is not such a key, or its numbers do not belong together or are of an unsupported size.
    pub fn from_pkcs8_pem(pem: &str) -> Result<Self, KeyError> {
        let (label, document) = SecretDocument::from_pem(pem).map_err(|_| KeyError::NotPem)?;
        if label != PrivateKeyInfo::PEM_LABEL {
            return Err(KeyError::NotPem);
        }
        Self::from_stored(read(&document).map_err(|_| KeyError::NotPem)?)
    }

    /// The key as unencrypted PKCS#8 (RFC 5958) in PEM. The caller must protect it.
    #[must_use]
    pub fn to_pkcs8_pem(&self) -> Zeroizing<String> {
        self.document()
            .to_pem(PrivateKeyInfo::PEM_LABEL, LineEnding::LF)
            .expect("a document can be written as PEM")
    }

    /// Reads a key that [`Self::to_encrypted_pkcs8_pem`] or another program (`openssl pkey -aes256`) wrote.
    ///
    /// # Errors
    /// [`KeyError::NotEncryptedPem`] when the text is something else, [`KeyError::Passphrase`] when the
    /// passphrase is wrong; or as [`Self::from_pkcs8_pem`].
    pub fn from_encrypted_pkcs8_pem(pem: &str, passphrase: &[u8]) -> Result<Self, KeyError> {
        let document = encrypted_pem::decrypt(pem, passphrase)?;
        Self::from_stored(read(&document).map_err(|_| KeyError::Passphrase)?)
    }

    /// The key as encrypted PKCS#8 (RFC 5958, RFC 8018) in PEM: AES-256-CBC under a key that scrypt (RFC
    /// 7914) derives from the passphrase. It takes about 0.2 s and 16 MiB of memory.
    #[must_use]
    pub fn to_encrypted_pkcs8_pem(
        &self,
        passphrase: &[u8],
        rng: &mut (impl CryptoRngCore + ?Sized),
    ) -> Zeroizing<String> {
        let document = self.document();
        let info = PrivateKeyInfo::try_from(document.as_bytes()).expect("what was just written can be read");
        encrypted_pem::encrypt(&info, passphrase, rng)
    }

    /// The public half.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Signs `text`, the pretty text of a document, for its certificate: RSASSA-PSS with SHA-256, MGF1 with
    /// SHA-256 and the longest salt that the key allows. The same in every cipher suite.
    ///
    /// # Errors
    /// When the private operation fails; see [`OperationError`].
    pub fn sign_certificate(
        &self,
        text: &str,
        rng: &mut (impl CryptoRngCore + ?Sized),
    ) -> Result<BigInt, OperationError> {
        let modulus_bits = self.public.modulus_bits();
        let salt_bytes =
            emsa_pss::salt_bytes_max::<Sha256>(modulus_bits).expect("SHA-256 fits into KEY_BITS_MIN");
        let mut salt = vec![0; salt_bytes];
        rng.fill_bytes(&mut salt);
        let encoded = emsa_pss::encode::<Sha256>(&Sha256::digest(text), &salt, modulus_bits)
            .expect("the longest salt fits");
        let encoded = BigInt::from_be_bytes(&encoded)
            .to_padded_be_bytes(self.public.modulus_bytes())
            .expect("an encoded message is less than the modulus");
        self.raw_sign(&encoded)
            .map(|signature| BigInt::from_be_bytes(&signature))
    }

    /// `input ^ d mod n` on big-endian bytes, as many as the modulus has. Blind signing and certificates both use
    /// this operation. It is blinded, takes constant time, and checks the result with the public exponent.
    ///
    /// It signs any number. Use only mint keys for numbers that a stranger has chosen.
    ///
    /// # Errors
    /// When `input` has another length or is not in 2..=n-2, or the result failed its check.
    pub fn raw_sign(&self, input: &[u8]) -> Result<Vec<u8>, OperationError> {
        self.handle.private_operation(input)
    }

    /// [`Self::raw_sign`] for several inputs, eight at once if this process uses lanes. What lanes get wrong, AWS-LC
    /// computes again.
    pub fn raw_sign_all(&self, inputs: &[&[u8]]) -> Vec<Result<Vec<u8>, OperationError>> {
        let of_group = |group: &[&[u8]]| match self.lanes() {
            Some(lanes)
                if group.len() >= self.group_min() && group.iter().all(|input| self.public.signs(input)) =>
            {
                self.sign_in_lanes(lanes, group)
            }
            _ => group.iter().map(|input| self.raw_sign(input)).collect(),
        };
        inputs.chunks(LANES).flat_map(of_group).collect()
    }

    /// The fewest inputs for which [`Self::raw_sign_all`] is faster than one after the other. More than there can be in
    /// a group if this key uses no lanes.
    #[must_use]
    pub fn group_min(&self) -> usize {
        match (self.lanes(), self.stored.primes()) {
            (None, _) => usize::MAX,
            (Some(_), [_, _]) => GROUP_MIN_TWO_PRIMES,
            (Some(_), _) => GROUP_MIN_THREE_PRIMES,
        }
    }

    fn sign_in_lanes(
        &self,
        lanes: &PrivateOperation,
        inputs: &[&[u8]],
    ) -> Vec<Result<Vec<u8>, OperationError>> {
        let signatures = lanes.raise(inputs, &mut OsRng);
        let checked = signatures.into_iter().zip(inputs).map(|(signature, input)| {
            signature.map_or_else(
                || {
                    lanes::count_fault();
                    self.raw_sign(input)
                },
                Ok,
            )
        });
        checked.collect()
    }

    /// Prepares [`Self::raw_sign_all`], so that the first group does not wait for it. Takes some milliseconds.
    pub fn prepare_groups(&self) {
        self.lanes();
    }

    /// The lanes for this key, if the process uses them and they agree with AWS-LC about it.
    fn lanes(&self) -> Option<&PrivateOperation> {
        self.lanes
            .get_or_init(|| {
                let lanes = self.new_lanes(lanes::instructions()?)?;
                let agrees = self.agrees(&lanes);
                if !agrees {
                    lanes::count_fault();
                }
                agrees.then_some(lanes)
            })
            .as_ref()
    }

    fn new_lanes(&self, instructions: Instructions) -> Option<PrivateOperation> {
        let parts = pkcs1::parts(&self.stored).ok()?;
        let [_, _, _, p, q, d_p, d_q, q_inv, third @ ..] = &parts[..] else {
            return None;
        };
        let part = |prime, exponent, coefficient| PrimePart {
            prime,
            exponent,
            coefficient,
        };
        // RFC 8017 gives the inverse of q modulo p, so that q comes first.
        let mut primes = vec![part(q, d_q, &[]), part(p, d_p, q_inv)];
        if let [r, d_r, t_r] = third {
            primes.push(part(r, d_r, t_r));
        }
        let document = self.public.document();
        PrivateOperation::new(
            instructions,
            document.modulus.as_be_bytes(),
            document.public_exponent,
            &primes,
        )
    }

    /// Whether lanes sign a full group and a single number as AWS-LC does. The two are calculated differently.
    fn agrees(&self, lanes: &PrivateOperation) -> bool {
        let bytes = self.public.modulus_bytes();
        let inputs: [Vec<u8>; LANES] = std::array::from_fn(|lane| lanes::self_test_input(lane, bytes));
        let inputs = inputs.each_ref().map(Vec::as_slice);
        [&inputs[..], &inputs[..1]].into_iter().all(|group| {
            let signatures = lanes.raise(group, &mut OsRng);
            let mut signed = group.iter().zip(signatures);
            signed.all(|(input, signature)| signature.is_some() && signature == self.raw_sign(input).ok())
        })
    }

    fn document(&self) -> SecretDocument {
        pkcs1::write(&self.stored).expect("a key that was checked can be written")
    }

    fn from_stored(stored: RsaPrivateKey) -> Result<Self, KeyError> {
        let document = RsaPublicKey {
            modulus: to_big_int(stored.n()),
            public_exponent: to_big_int(stored.e()).to_u64().ok_or(KeyError::Inconsistent)?,
        };
        let public = PublicKey::parse(&document)?;
        let parts = pkcs1::parts(&stored)?;
        let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_slice()).collect();
        let handle = PrivateHandle::new(&parts)?;
        assert_eq!(
            handle.modulus_bytes(),
            public.modulus_bytes(),
            "both halves have one modulus"
        );
        Ok(Self {
            public,
            handle,
            lanes: OnceLock::new(),
            stored,
        })
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PrivateKey({}, secret)", self.public.id())
    }
}

fn read(document: &SecretDocument) -> Result<RsaPrivateKey, rsa::pkcs8::Error> {
    pkcs1::read(PrivateKeyInfo::try_from(document.as_bytes())?)
}

#[cfg(test)]
mod tests;
