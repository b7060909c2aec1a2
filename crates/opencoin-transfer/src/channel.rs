//! The encrypted channel between the two participants.
//!
//! A handshake has four frames. The first two are the messages of the Noise pattern `NNpsk0`; the other two prove who
//! the participants are and settle the digits that people compare:
//!
//! 1. initiator: ephemeral key, and the SHA-256 of a number that it reveals later;
//! 2. responder: ephemeral key, and its own number;
//! 3. initiator: its number, its participant key, and a signature over the handshake;
//! 4. responder: its participant key, and a signature over the handshake.
//!
//! Because the initiator commits to its number before it knows the responder's, somebody between them cannot try
//! numbers until the digits on both sides are equal. Because participants sign, nobody who sees the invitation later can
//! take the place of one of them.
//!
//! Frames have one of two lengths, and their Noise nonces count from 0: a frame that is missing, repeated or out of order
//! does not decrypt. After any error the channel is over; the participants connect again and make a new one.

use sha2::{Digest as _, Sha256};
use snow::{Builder, HandshakeState, TransportState};
use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::invitation::Invitation;
use crate::key::{ParticipantKey, SIGNATURE_BYTES, is_signed};
use crate::noise::{AwsLc, PROTOCOL};
use crate::{PublicKey, Secret32};

/// The possible lengths of a plaintext, padding included. A relay has buffers of the larger one for each connection.
pub const PLAINTEXT_BYTES: [usize; 2] = [1024, 4096];

/// The longest frame: kind, the longest plaintext, tag.
pub const FRAME_BYTES_MAX: usize = 1 + PLAINTEXT_BYTES[1] + TAG_BYTES;

/// The longest content of a frame.
pub const CONTENT_BYTES_MAX: usize = PLAINTEXT_BYTES[1] - HEAD_BYTES;

const TAG_BYTES: usize = 16;
/// The kind of the content and its length.
const HEAD_BYTES: usize = 5;

const FRAME_INITIATES: u8 = 1;
const FRAME_RESPONDS: u8 = 2;
const FRAME_SEALED: u8 = 3;

const CONTENT_PROOF: u8 = 0;
const CONTENT_MESSAGE: u8 = 1;

const NUMBER_BYTES: usize = 32;
const KEY_BYTES: usize = 32;

/// What a participant signs to prove that it is there, before the hash of the handshake.
const INITIATOR_SIGNS: &[u8] = b"opencoin transfer 1 initiator";
const RESPONDER_SIGNS: &[u8] = b"opencoin transfer 1 responder";
/// What begins the hash from which the digits come.
const DIGITS_HASH: &[u8] = b"opencoin transfer 1 digits";

/// Why a channel cannot be made or used. The connection is over then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ChannelError {
    /// A frame has a wrong kind or length at this point.
    #[error("a frame came that does not belong here")]
    Unexpected,
    /// A frame does not decrypt: it was changed, repeated or moved, a frame is missing, or the other end has another
    /// invitation.
    #[error("a frame does not decrypt: it was changed on its way, or the other end has another invitation")]
    Decrypt,
    /// A participant proves its identity wrongly.
    #[error("the other end does not prove who it is")]
    Proof,
    /// The content of a frame breaks the rules of padding.
    #[error("the content of a frame is not padded as it must be")]
    Padding,
    /// The message does not fit into a frame.
    #[error("a message is too long for a frame")]
    TooLong,
}

/// A handshake that waits for a frame.
pub struct Handshake {
    key: ParticipantKey,
    waits: Waits,
}

enum Waits {
    /// The responder waits for the first frame.
    First {
        noise: Box<HandshakeState>,
        number: Secret32,
    },
    /// The initiator waits for the second frame.
    Second {
        noise: Box<HandshakeState>,
        number: Secret32,
    },
    /// The responder waits for the third frame.
    Third {
        open: Box<Open>,
        commitment: [u8; NUMBER_BYTES],
        number: Secret32,
    },
    /// The initiator waits for the fourth frame.
    Fourth { open: Box<Open>, digits: Digits },
}

/// The keys are agreed, and the other end has not proved who it is.
struct Open {
    transport: TransportState,
    hash: [u8; 32],
}

/// The six digits that both people can compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digits(u32);

/// The result of a frame of the handshake.
pub enum Handshaken {
    /// Another frame must come. The first field is the answer to send.
    Waits(Vec<u8>, Handshake),
    /// The channel is open. An answer is sent before anything else.
    Open(Option<Vec<u8>>, Channel),
}

/// An open channel.
pub struct Channel {
    transport: TransportState,
    peer: PublicKey,
    digits: Digits,
}

/// The random numbers of one handshake.
pub struct HandshakeSecrets {
    /// The ephemeral private key.
    pub ephemeral: Secret32,
    /// The number for the digits.
    pub number: Secret32,
}

impl Handshake {
    /// Begins a handshake as its initiator: who opened the invitation. Returns the first frame.
    #[must_use]
    pub fn initiate(
        invitation: &Invitation,
        key: ParticipantKey,
        secrets: HandshakeSecrets,
    ) -> (Vec<u8>, Self) {
        let mut noise = builder(invitation, secrets.ephemeral, |builder| builder.build_initiator());
        let commitment = Sha256::digest(secrets.number.expose());
        let mut frame = vec![0; 1 + KEY_BYTES + NUMBER_BYTES + TAG_BYTES];
        frame[0] = FRAME_INITIATES;
        noise
            .write_message(&commitment, &mut frame[1..])
            .expect("the first message fits into its buffer");
        let (noise, number) = (Box::new(noise), secrets.number);
        let waits = Waits::Second { noise, number };
        (frame, Self { key, waits })
    }

    /// Waits for a handshake as its responder: who made the invitation.
    #[must_use]
    pub fn respond(invitation: &Invitation, key: ParticipantKey, secrets: HandshakeSecrets) -> Self {
        let noise = Box::new(builder(invitation, secrets.ephemeral, |builder| {
            builder.build_responder()
        }));
        let number = secrets.number;
        Self {
            key,
            waits: Waits::First { noise, number },
        }
    }

    /// Whether a frame may be the next one. One that may not is left over from a connection before this handshake.
    #[must_use]
    pub fn expects(&self, frame: &[u8]) -> bool {
        let kind = match self.waits {
            Waits::First { .. } => FRAME_INITIATES,
            Waits::Second { .. } => FRAME_RESPONDS,
            Waits::Third { .. } | Waits::Fourth { .. } => FRAME_SEALED,
        };
        frame.first() == Some(&kind)
    }

    /// Handles the next frame.
    ///
    /// # Errors
    /// It is not the right one.
    pub fn receive(self, frame: &[u8]) -> Result<Handshaken, ChannelError> {
        let key = self.key;
        match self.waits {
            Waits::First { mut noise, number } => {
                let commitment = read_noise(&mut noise, FRAME_INITIATES, frame)?;
                let mut answer = vec![0; 1 + KEY_BYTES + NUMBER_BYTES + TAG_BYTES];
                answer[0] = FRAME_RESPONDS;
                noise
                    .write_message(number.expose(), &mut answer[1..])
                    .map_err(|_| ChannelError::Decrypt)?;
                let open = Box::new(Open::of(*noise)?);
                let waits = Waits::Third {
                    open,
                    commitment,
                    number,
                };
                Ok(Handshaken::Waits(answer, Self { key, waits }))
            }
            Waits::Second { mut noise, number } => {
                let theirs = read_noise(&mut noise, FRAME_RESPONDS, frame)?;
                let mut open = Box::new(Open::of(*noise)?);
                let digits = Digits::of(&open.hash, number.expose(), &theirs);
                let mut proof = number.expose().to_vec();
                proof.extend(open.proof(&key, INITIATOR_SIGNS));
                let answer = seal(&mut open.transport, CONTENT_PROOF, &proof)?;
                let waits = Waits::Fourth { open, digits };
                Ok(Handshaken::Waits(answer, Self { key, waits }))
            }
            Waits::Third {
                mut open,
                commitment,
                number,
            } => {
                let content = unseal(&mut open.transport, CONTENT_PROOF, frame)?;
                let (theirs, proof) = content
                    .split_first_chunk::<NUMBER_BYTES>()
                    .ok_or(ChannelError::Proof)?;
                if !bool::from(Sha256::digest(theirs).ct_eq(&commitment)) {
                    return Err(ChannelError::Proof);
                }
                let peer = open.verified(proof, INITIATOR_SIGNS)?;
                let digits = Digits::of(&open.hash, theirs, number.expose());
                let proof = open.proof(&key, RESPONDER_SIGNS);
                let answer = seal(&mut open.transport, CONTENT_PROOF, &proof)?;
                let transport = open.transport;
                Ok(Handshaken::Open(
                    Some(answer),
                    Channel {
                        transport,
                        peer,
                        digits,
                    },
                ))
            }
            Waits::Fourth { mut open, digits } => {
                let proof = unseal(&mut open.transport, CONTENT_PROOF, frame)?;
                let peer = open.verified(&proof, RESPONDER_SIGNS)?;
                let transport = open.transport;
                Ok(Handshaken::Open(
                    None,
                    Channel {
                        transport,
                        peer,
                        digits,
                    },
                ))
            }
        }
    }
}

impl Channel {
    /// The participant at the other end.
    #[must_use]
    pub const fn peer(&self) -> PublicKey {
        self.peer
    }

    /// The digits that both people can compare. Each handshake has others.
    #[must_use]
    pub const fn digits(&self) -> Digits {
        self.digits
    }

    /// Encrypts a message into a frame.
    ///
    /// # Errors
    /// It is too long.
    pub fn seal(&mut self, message: &[u8]) -> Result<Vec<u8>, ChannelError> {
        seal(&mut self.transport, CONTENT_MESSAGE, message)
    }

    /// Decrypts the next frame.
    ///
    /// # Errors
    /// It is not the next frame, or not as the other end sent it.
    pub fn open(&mut self, frame: &[u8]) -> Result<Zeroizing<Vec<u8>>, ChannelError> {
        unseal(&mut self.transport, CONTENT_MESSAGE, frame)
    }
}

impl Digits {
    fn of(hash: &[u8; 32], initiators: &[u8; NUMBER_BYTES], responders: &[u8; NUMBER_BYTES]) -> Self {
        let mut digest = Sha256::new();
        for part in [DIGITS_HASH, hash, initiators, responders] {
            digest.update(part);
        }
        let mut first = [0; 8];
        first.copy_from_slice(&digest.finalize()[..8]);
        Self(u32::try_from(u64::from_be_bytes(first) % 1_000_000).expect("it is below a million"))
    }
}

impl std::fmt::Display for Digits {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:03} {:03}", self.0 / 1000, self.0 % 1000)
    }
}

impl Open {
    fn of(noise: HandshakeState) -> Result<Self, ChannelError> {
        let hash = noise
            .get_handshake_hash()
            .try_into()
            .expect("SHA-256 has 32 bytes");
        let transport = noise.into_transport_mode().map_err(|_| ChannelError::Decrypt)?;
        Ok(Self { transport, hash })
    }

    /// The public key and the signature over the handshake.
    fn proof(&self, key: &ParticipantKey, signs: &[u8]) -> Vec<u8> {
        let mut proof = key.public().0.to_vec();
        proof.extend(key.sign(&[signs, &self.hash].concat()));
        proof
    }

    fn verified(&self, proof: &[u8], signs: &[u8]) -> Result<PublicKey, ChannelError> {
        let (key, signature) = proof
            .split_first_chunk::<KEY_BYTES>()
            .ok_or(ChannelError::Proof)?;
        let key = PublicKey(*key);
        if signature.len() == SIGNATURE_BYTES && is_signed(&key, &[signs, &self.hash].concat(), signature) {
            Ok(key)
        } else {
            Err(ChannelError::Proof)
        }
    }
}

fn builder(
    invitation: &Invitation,
    ephemeral: Secret32,
    build: impl FnOnce(Builder<'_>) -> Result<HandshakeState, snow::Error>,
) -> HandshakeState {
    let protocol = PROTOCOL.parse().expect("snow knows the protocol");
    let (psk, prologue) = (invitation.psk(), invitation.prologue());
    Builder::with_resolver(protocol, Box::new(AwsLc { ephemeral }))
        .psk(0, psk.expose())
        .and_then(|builder| builder.prologue(&prologue))
        .and_then(build)
        .expect("the resolver has what the protocol needs")
}

/// Reads a message of the handshake, which has 32 bytes as its payload.
fn read_noise(
    noise: &mut HandshakeState,
    kind: u8,
    frame: &[u8],
) -> Result<[u8; NUMBER_BYTES], ChannelError> {
    let message = of_kind(kind, frame)?;
    if message.len() != KEY_BYTES + NUMBER_BYTES + TAG_BYTES {
        return Err(ChannelError::Unexpected);
    }
    let mut payload = [0; NUMBER_BYTES + TAG_BYTES];
    let length = noise
        .read_message(message, &mut payload)
        .map_err(|_| ChannelError::Decrypt)?;
    payload[..length].try_into().map_err(|_| ChannelError::Decrypt)
}

fn of_kind(kind: u8, frame: &[u8]) -> Result<&[u8], ChannelError> {
    match frame.split_first() {
        Some((first, rest)) if *first == kind => Ok(rest),
        _ => Err(ChannelError::Unexpected),
    }
}

fn seal(transport: &mut TransportState, kind: u8, content: &[u8]) -> Result<Vec<u8>, ChannelError> {
    let padded = PLAINTEXT_BYTES
        .into_iter()
        .find(|length| HEAD_BYTES + content.len() <= *length)
        .ok_or(ChannelError::TooLong)?;
    let mut plaintext = Zeroizing::new(Vec::with_capacity(padded));
    plaintext.push(kind);
    plaintext.extend((content.len() as u32).to_be_bytes());
    plaintext.extend(content);
    plaintext.resize(padded, 0);
    let mut frame = vec![0; 1 + padded + TAG_BYTES];
    frame[0] = FRAME_SEALED;
    transport
        .write_message(&plaintext, &mut frame[1..])
        .map_err(|_| ChannelError::TooLong)?;
    Ok(frame)
}

fn unseal(
    transport: &mut TransportState,
    kind: u8,
    frame: &[u8],
) -> Result<Zeroizing<Vec<u8>>, ChannelError> {
    let sealed = of_kind(FRAME_SEALED, frame)?;
    if !PLAINTEXT_BYTES
        .iter()
        .any(|length| sealed.len() == length + TAG_BYTES)
    {
        return Err(ChannelError::Unexpected);
    }
    let mut plaintext = Zeroizing::new(vec![0; sealed.len()]);
    let length = transport
        .read_message(sealed, &mut plaintext)
        .map_err(|_| ChannelError::Decrypt)?;
    plaintext.truncate(length);
    let (head, rest) = plaintext
        .split_first_chunk::<HEAD_BYTES>()
        .ok_or(ChannelError::Padding)?;
    if head[0] != kind {
        return Err(ChannelError::Unexpected);
    }
    let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
    if length > rest.len() || rest[length..].iter().any(|byte| *byte != 0) {
        return Err(ChannelError::Padding);
    }
    Ok(Zeroizing::new(rest[..length].to_vec()))
}
