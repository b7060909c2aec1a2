//! Forms with a file, as `multipart/form-data`.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
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
            fields: Fields::of(fields),
            name,
            content: content.into(),
            share,
        })
    }
}

/// The field of the file.
const FILE_FIELD: &str = "file";

fn no_form() -> Refusal {
    Refusal::new(Reason::Malformed, "the body is not a form with a file")
}
