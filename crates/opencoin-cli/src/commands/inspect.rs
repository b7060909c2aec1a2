//! `opencoin inspect`: shows a document or message as a summary or as its exact bytes.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, ValueEnum};
use opencoin_schema::{AnyDocument, Cdd, Coin, MintKey, text};
use opencoin_terminal::output::{self, OutputArgs};
use opencoin_terminal::secret_args::CoinsSecretArgs;

use crate::coin_stack::read_document;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The file, or a folder of pictures with the QR codes of coins; `-` reads stdin.
    file: PathBuf,
    /// The output form. `compact` and `pretty` are the exact bytes that are hashed and signed, without a final newline.
    #[arg(long, value_enum, default_value_t = Form::Summary)]
    form: Form,
    #[command(flatten)]
    passphrase: CoinsSecretArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Form {
    Summary,
    Compact,
    Pretty,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let document = read_document(&arguments.file, || arguments.passphrase.read())?;
    if arguments.output.json {
        output::line(&text::compact(&document))?;
        return Ok(ExitCode::SUCCESS);
    }
    match arguments.form {
        Form::Compact => output::exact(&text::compact(&document))?,
        Form::Pretty => output::exact(&text::pretty(&document))?,
        Form::Summary => summary(&document)
            .iter()
            .try_for_each(|line| output::line(line))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn summary(document: &AnyDocument) -> Vec<String> {
    let mut lines = vec![format!("type: {}", document.type_name())];
    match document {
        AnyDocument::Cdd(cdd) => lines.extend(cdd_lines(cdd)),
        AnyDocument::Cddc(cddc) => lines.extend(cdd_lines(&cddc.cdd)),
        AnyDocument::ResponseCddc(response) => {
            lines.push(status(response.status_code, &response.status_description));
            lines.extend(response.cddc.iter().flat_map(|cddc| cdd_lines(&cddc.cdd)));
        }
        AnyDocument::MintKey(mint_key) => lines.extend(mint_key_lines(mint_key)),
        AnyDocument::Mkc(mkc) => lines.extend(mint_key_lines(&mkc.mint_key)),
        AnyDocument::ResponseMintKeyCertificates(response) => {
            lines.push(status(response.status_code, &response.status_description));
            lines.extend(response.keys.iter().flat_map(|mkc| mint_key_lines(&mkc.mint_key)));
        }
        AnyDocument::RsaPublicKey(key) => {
            lines.push(format!("bits: {}", key.modulus.bits()));
            lines.push(format!("id: {}", key.id()));
        }
        AnyDocument::Payload(payload) => {
            lines.push(format!("claimed denomination: {}", payload.denomination));
            lines.push(format!("mint key: {}", payload.mint_key_id));
            lines.push(format!("issuer: {}", payload.issuer_id));
        }
        AnyDocument::Coin(coin) => lines.extend(coins_lines(std::slice::from_ref(coin))),
        AnyDocument::CoinStack(stack) => {
            lines.push(format!("subject: {:?}", stack.subject));
            lines.extend(coins_lines(&stack.coins));
        }
        AnyDocument::Blind(blind) => {
            lines.push(format!("reference: {:?}", blind.reference));
            lines.push(format!("mint key: {}", blind.mint_key_id));
        }
        AnyDocument::RevealedCoin(coin) => {
            lines.push(format!(
                "blind: {:?} of transaction {}",
                coin.blind_reference, coin.transaction_reference
            ));
            lines.push(format!("mint key: {}", coin.payload.mint_key_id));
        }
        AnyDocument::BlindSignature(signature) => lines.push(format!("reference: {:?}", signature.reference)),
        AnyDocument::RequestCddSerial(_) => {}
        AnyDocument::RequestCddc(request) => lines.push(format!("cdd serial: {}", request.cdd_serial)),
        AnyDocument::RequestMintKeyCertificates(request) => {
            lines.push(format!("denominations: {:?}", request.denominations));
            lines.push(format!("mint keys: {}", request.mint_key_ids.len()));
        }
        AnyDocument::RequestMint(request) => lines.push(format!("blinds: {}", request.blinds.len())),
        AnyDocument::RequestRenew(request) => {
            lines.push(format!("blinds: {}", request.blinds.len()));
            lines.extend(coins_lines(&request.coins));
        }
        AnyDocument::RequestRecoup(request) => {
            lines.push(format!("blinds: {}", request.blinds.len()));
            lines.push(format!("coins of revoked mint keys: {}", request.coins.len()));
        }
        AnyDocument::RequestResume(_) => {}
        AnyDocument::RequestRedeem(request) => lines.extend(coins_lines(&request.coins)),
        AnyDocument::ResponseCddSerial(response) => {
            lines.push(status(response.status_code, &response.status_description));
            lines.push(format!("cdd serial: {}", response.cdd_serial));
        }
        AnyDocument::ResponseMint(response) => {
            lines.push(status(response.status_code, &response.status_description));
            lines.push(format!("blind signatures: {}", response.blind_signatures.len()));
        }
        AnyDocument::ResponseDelay(response) => {
            lines.push(status(response.status_code, &response.status_description))
        }
        AnyDocument::ResponseRedeem(response) => {
            lines.push(status(response.status_code, &response.status_description))
        }
    }
    lines
}

fn status(code: u16, description: &str) -> String {
    format!("status: {code} {description:?}")
}

fn cdd_lines(cdd: &Cdd) -> Vec<String> {
    vec![
        format!(
            "currency: {:?}, {} smallest units make one",
            cdd.currency_name, cdd.currency_divisor
        ),
        format!("id: {}", cdd.id),
        format!(
            "serial: {}, signed {}, expires {}",
            cdd.cdd_serial, cdd.cdd_signing_date, cdd.cdd_expiry_date
        ),
        format!("denominations: {:?}", cdd.denominations),
        format!("cipher suite: {}", cdd.issuer_cipher_suite),
        format!("master key: {} bits", cdd.issuer_public_master_key.modulus.bits()),
    ]
}

fn mint_key_lines(mint_key: &MintKey) -> Vec<String> {
    vec![
        format!(
            "mint key: {}, {} bits",
            mint_key.id,
            mint_key.public_mint_key.modulus.bits()
        ),
        format!("  denomination: {}", mint_key.denomination),
        format!(
            "  signs from {} to {}",
            mint_key.sign_coins_not_before, mint_key.sign_coins_not_after
        ),
        format!("  coins expire {}", mint_key.coins_expiry_date),
    ]
}

/// The number of coins and their unverified value: the mint keys decide what they are worth.
fn coins_lines(coins: &[Coin]) -> Vec<String> {
    let values = coins.iter().map(|coin| u128::from(coin.payload.denomination));
    let mut lines = vec![format!(
        "coins: {}, claimed to be worth {} (check with `opencoin verify`)",
        coins.len(),
        values.sum::<u128>()
    )];
    if let Some(coin) = coins.first() {
        lines.push(format!("issuer: {}", coin.payload.issuer_id));
    }
    lines
}
