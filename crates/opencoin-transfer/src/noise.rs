//! The cryptography of the Noise protocol, by AWS-LC: X25519, ChaCha20-Poly1305, SHA-256.
//!
//! `snow` has the protocol and asks for the primitives. Those of its own resolvers would be second implementations of
//! what the workspace has.

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use sha2::{Digest as _, Sha256};
use snow::params::{CipherChoice, DHChoice, HashChoice};
use snow::resolvers::CryptoResolver;
use snow::types::{Cipher, Dh, Hash, Random};
use zeroize::Zeroizing;

use crate::Secret32;

/// The pattern and the primitives.
pub(crate) const PROTOCOL: &str = "Noise_NNpsk0_25519_ChaChaPoly_SHA256";

const KEY_BYTES: usize = 32;
const TAG_BYTES: usize = 16;
const NONCE_BYTES: usize = 12;

/// Gives `snow` its primitives, and one private key for the handshake.
pub(crate) struct AwsLc {
    /// The ephemeral private key, drawn by the caller.
    pub(crate) ephemeral: Secret32,
}

impl CryptoResolver for AwsLc {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(Drawn(Some(self.ephemeral.clone()))))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        let made = || Box::new(X25519Key::default()) as Box<dyn Dh>;
        matches!(choice, DHChoice::Curve25519).then(made)
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        let made = || Box::new(Sha256Hash(Sha256::new())) as Box<dyn Hash>;
        matches!(choice, HashChoice::SHA256).then(made)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        let made = || Box::new(ChaChaPoly(None)) as Box<dyn Cipher>;
        matches!(choice, CipherChoice::ChaChaPoly).then(made)
    }
}

/// Randomness that was drawn before: one private key.
struct Drawn(Option<Secret32>);

impl Random for Drawn {
    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), snow::Error> {
        let drawn = self.0.take().ok_or(snow::Error::Rng)?;
        if dest.len() != KEY_BYTES {
            return Err(snow::Error::Rng);
        }
        dest.copy_from_slice(drawn.expose());
        Ok(())
    }
}

#[derive(Default)]
struct X25519Key {
    private: Zeroizing<[u8; KEY_BYTES]>,
    public: [u8; KEY_BYTES],
}

impl X25519Key {
    fn private_key(&self) -> Result<PrivateKey, snow::Error> {
        PrivateKey::from_private_key(&X25519, self.private.as_ref()).map_err(|_| snow::Error::Dh)
    }

    fn compute_public(&mut self) -> Result<(), snow::Error> {
        let public = self
            .private_key()?
            .compute_public_key()
            .map_err(|_| snow::Error::Dh)?;
        self.public = public.as_ref().try_into().map_err(|_| snow::Error::Dh)?;
        Ok(())
    }
}

impl Dh for X25519Key {
    fn name(&self) -> &'static str {
        "25519"
    }

    fn pub_len(&self) -> usize {
        KEY_BYTES
    }

    fn priv_len(&self) -> usize {
        KEY_BYTES
    }

    fn set(&mut self, privkey: &[u8]) {
        self.private.copy_from_slice(privkey);
        self.compute_public()
            .expect("every 32 bytes are a private key of X25519");
    }

    fn generate(&mut self, rng: &mut dyn Random) -> Result<(), snow::Error> {
        rng.try_fill_bytes(self.private.as_mut())?;
        self.compute_public()
    }

    fn pubkey(&self) -> &[u8] {
        &self.public
    }

    fn privkey(&self) -> &[u8] {
        self.private.as_ref()
    }

    fn dh(&self, pubkey: &[u8], out: &mut [u8]) -> Result<(), snow::Error> {
        let theirs = UnparsedPublicKey::new(&X25519, pubkey.get(..KEY_BYTES).ok_or(snow::Error::Dh)?);
        // AWS-LC refuses a public key that makes the shared secret zero.
        agree(&self.private_key()?, theirs, snow::Error::Dh, |shared| {
            out[..KEY_BYTES].copy_from_slice(shared);
            Ok(())
        })
    }
}

struct ChaChaPoly(Option<LessSafeKey>);

impl ChaChaPoly {
    fn key(&self) -> &LessSafeKey {
        self.0
            .as_ref()
            .expect("the protocol sets a key before it encrypts")
    }
}

/// Section 12.3 of the Noise specification: 32 zero bits and the number, little-endian.
fn nonce(number: u64) -> Nonce {
    let mut bytes = [0; NONCE_BYTES];
    bytes[4..].copy_from_slice(&number.to_le_bytes());
    Nonce::assume_unique_for_key(bytes)
}

impl Cipher for ChaChaPoly {
    fn name(&self) -> &'static str {
        "ChaChaPoly"
    }

    fn set(&mut self, key: &[u8; KEY_BYTES]) {
        let key = UnboundKey::new(&CHACHA20_POLY1305, key).expect("the key has the length that it must have");
        self.0 = Some(LessSafeKey::new(key));
    }

    fn encrypt(&self, number: u64, authtext: &[u8], plaintext: &[u8], out: &mut [u8]) -> usize {
        let (text, rest) = out.split_at_mut(plaintext.len());
        text.copy_from_slice(plaintext);
        let tag = self
            .key()
            .seal_in_place_separate_tag(nonce(number), Aad::from(authtext), text)
            .expect("a frame is shorter than what the cipher can encrypt");
        rest[..TAG_BYTES].copy_from_slice(tag.as_ref());
        plaintext.len() + TAG_BYTES
    }

    fn decrypt(
        &self,
        number: u64,
        authtext: &[u8],
        ciphertext: &[u8],
        out: &mut [u8],
    ) -> Result<usize, snow::Error> {
        let mut text = Zeroizing::new(ciphertext.to_vec());
        let opened = self
            .key()
            .open_in_place(nonce(number), Aad::from(authtext), &mut text)
            .map_err(|_| snow::Error::Decrypt)?;
        out.get_mut(..opened.len())
            .ok_or(snow::Error::Decrypt)?
            .copy_from_slice(opened);
        Ok(opened.len())
    }
}

struct Sha256Hash(Sha256);

impl Hash for Sha256Hash {
    fn name(&self) -> &'static str {
        "SHA256"
    }

    fn block_len(&self) -> usize {
        64
    }

    fn hash_len(&self) -> usize {
        32
    }

    fn reset(&mut self) {
        self.0 = Sha256::new();
    }

    fn input(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    fn result(&mut self, out: &mut [u8]) {
        out[..32].copy_from_slice(&self.0.finalize_reset());
    }
}
