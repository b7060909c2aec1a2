//! Forms with a file, as `multipart/form-data`.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use futures_util::stream;
use opencoin_bank::statement::FILE_BYTES_MAX;
use opencoin_http::{BodyShare, Server};
use opencoin_issuer::{Reason, Refusal};

use crate::forms::Fields;

/// The most bytes of a form besides its file: several times the longest values of all its fields.
const FIELD_BYTES_MAX: usize = 64 * 1024;
/// The most fields of a form.
const FIELDS_MAX: usize = 50;

/// A form with a file.
pub(crate) struct Upload {
    pub(crate) fields: Fields,
    /// The name of the file, as the browser says it; empty if no file was chosen.
    pub(crate) name: String,
    pub(crate) content: Vec<u8>,
    /// The memory of the content. Keep it until the content is done with.
    pub(crate) share: BodyShare,
}

/// The most bytes that a file may have.
pub(crate) fn file_bytes_max(server: &Server) -> usize {
    FILE_BYTES_MAX.min(server.body_bytes_max().saturating_sub(FIELD_BYTES_MAX))
}

impl Upload {
    /// Reads a form, whose file has the field `file`.
    ///
    /// # Errors
    /// It does not arrive, is too long, or is no form.
    pub(crate) async fn read(server: &Arc<Server>, headers: &HeaderMap, body: Body) -> Result<Self, Refusal> {
        let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let boundary = multer::parse_boundary(content_type.unwrap_or_default()).map_err(|_| no_form())?;
        let (bytes, share) = server.read_upload(body, FILE_BYTES_MAX + FIELD_BYTES_MAX).await?;
        let Parts {
            fields,
            name,
            content,
        } = Parts::parse(bytes.into(), boundary).await?;
        Ok(Self {
            fields: Fields::of(fields),
            name,
            content: content.into(),
            share,
        })
    }
}

/// What a form with a file says.
struct Parts {
    fields: Vec<(String, String)>,
    /// Empty if no file was chosen.
    name: String,
    content: Bytes,
}

impl Parts {
    async fn parse(bytes: Bytes, boundary: String) -> Result<Self, Refusal> {
        let whole = stream::iter([Ok::<_, Infallible>(bytes)]);
        let mut parts = multer::Multipart::new(whole, boundary);
        let (mut fields, mut file, mut text_bytes) = (Vec::<(String, String)>::new(), None, 0);
        while let Some(part) = parts.next_field().await.map_err(|_| no_form())? {
            let name = part.name().ok_or_else(no_form)?.to_owned();
            let file_name = part.file_name().map(str::to_owned);
            let content = part.bytes().await.map_err(|_| no_form())?;
            // What is there twice could be meant in two ways.
            let is_known = fields.iter().any(|(known, _)| *known == name);
            if is_known || file.is_some() && name == FILE_FIELD {
                return Err(no_form());
            }
            if name == FILE_FIELD {
                file = Some((file_name.ok_or_else(no_form)?, content));
                continue;
            }
            text_bytes += content.len();
            if fields.len() >= FIELDS_MAX || text_bytes > FIELD_BYTES_MAX {
                return Err(Refusal::new(
                    Reason::Malformed,
                    "the form has too many fields, or too long ones",
                ));
            }
            let text = String::from_utf8(content.to_vec()).map_err(|_| no_form())?;
            fields.push((name, text));
        }
        // What it has read is copied, and is not needed any more.
        drop(parts);
        let (name, content) = file.unwrap_or_default();
        Ok(Self {
            fields,
            name,
            content,
        })
    }
}

/// The field of the file.
const FILE_FIELD: &str = "file";

fn no_form() -> Refusal {
    Refusal::new(Reason::Malformed, "the body is not a form with a file")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A form with these parts: what follows the name, and the content.
    async fn parsed(parts: &[(&str, &str)]) -> Result<Parts, Refusal> {
        let mut body = String::new();
        for (head, content) in parts {
            body += &format!("--edge\r\nContent-Disposition: form-data; name={head}\r\n\r\n{content}\r\n");
        }
        body += "--edge--\r\n";
        Parts::parse(Bytes::from(body), "edge".to_owned()).await
    }

    const FILE: (&str, &str) = ("\"file\"; filename=\"may.csv\"", "day;amount");

    #[tokio::test]
    async fn fields_and_a_file_are_read() {
        let parts = parsed(&[("\"day\"", "Day"), FILE, ("\"amount\"", "")]).await;
        let Parts {
            fields,
            name,
            content,
        } = parts.expect("a form");
        let expected = [("day", "Day"), ("amount", "")];
        assert_eq!(
            fields,
            expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
        assert_eq!((name.as_str(), &content[..]), ("may.csv", &b"day;amount"[..]));
        let none = parsed(&[("\"day\"", "Day")]).await.expect("a form");
        assert!(none.name.is_empty() && none.content.is_empty());
    }

    #[tokio::test]
    async fn what_could_be_meant_in_two_ways_is_no_form() {
        let long = "x".repeat(FIELD_BYTES_MAX + 1);
        let names: Vec<String> = (0..=FIELDS_MAX).map(|no| format!("\"f{no}\"")).collect();
        let many: Vec<_> = names.iter().map(|name| (name.as_str(), "")).collect();
        for parts in [
            &[FILE, FILE][..],
            &[("\"day\"", "a"), ("\"day\"", "b")],
            &[("\"file\"", "no name")],
            &[("\"day\"", long.as_str())],
            &many,
        ] {
            let refused = parsed(parts).await.err().expect("it is refused");
            assert_eq!(refused.reason, Reason::Malformed);
        }
        let broken = Parts::parse(Bytes::from_static(b"--edge\r\nodd"), "edge".to_owned()).await;
        assert!(broken.is_err());
    }
}
