//! Where sent coins go: a file, a folder of pictures, or stdout. Whatever can fail is tried before coins are taken.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use opencoin_pictures::{Drawing, Frame, VERSION_MAX, animated_gif, animated_svg, gif, png, svg};
use opencoin_terminal::output;

use super::new_file::NewFile;
use super::show_codes::{self, Window};
use crate::coin_stack::{Form, Parcel};
use crate::failure;

/// The formats of pictures, by the extension of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Svg,
    Png,
    Gif,
}

impl Format {
    fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_ascii_lowercase().to_str()? {
            "svg" => Some(Self::Svg),
            "png" => Some(Self::Png),
            "gif" => Some(Self::Gif),
            _ => None,
        }
    }
}

/// Where coins go.
pub(super) enum Target {
    /// JSON or the line of text.
    File(Form, NewFile),
    Picture(Format, PathBuf, NewFile),
    /// A folder of PNG files.
    Folder(NewFolder),
    Stdout(Form),
    /// A terminal that shows QR codes.
    Window(Window),
}

/// What was written.
pub(super) struct Written {
    /// The file or folder, which may be another than was asked for.
    pub(super) path: Option<PathBuf>,
    /// The number of pictures, and how many of them a reader needs.
    pub(super) pictures: Option<(usize, usize)>,
}

/// The form of coins that are sent to this file: the wanted one, or what its name says.
pub(super) fn form_for(wanted: Option<Form>, out: Option<&Path>) -> Result<Form> {
    let is_picture = out.is_some_and(|path| is_folder(path) || Format::of(path).is_some());
    match wanted {
        Some(Form::Qr) if out.is_some() && !is_picture => Err(failure::usage(
            "QR codes go into a file that ends in .svg, .png or .gif, or into a folder that ends in /",
        )),
        Some(form) => Ok(form),
        None if is_picture => Ok(Form::Qr),
        None => Ok(Form::default()),
    }
}

fn is_folder(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().ends_with(b"/") || path.is_dir()
}

impl Target {
    /// Creates the file or the folder, or measures the terminal.
    pub(super) fn create(form: Form, out: Option<&Path>, is_json: bool) -> Result<Self> {
        let Some(path) = out else {
            let window = (form == Form::Qr && !is_json)
                .then(show_codes::window)
                .transpose()?;
            return Ok(window.flatten().map_or(Self::Stdout(form), Self::Window));
        };
        let cannot_create = || format!("cannot create {}; no coins were taken", path.display());
        if [Form::Qr, Form::Code].contains(&form) && is_folder(path) {
            return Ok(Self::Folder(NewFolder::create(path).with_context(cannot_create)?));
        }
        let file = NewFile::create(path).with_context(cannot_create)?;
        Ok(match (form, Format::of(path)) {
            (Form::Qr | Form::Code, Some(format)) => Self::Picture(format, path.to_owned(), file),
            (form, _) => Self::File(form, file),
        })
    }

    /// Hands the coins over. `out` is what [`Self::create`] was given.
    pub(super) async fn write(self, parcel: &Parcel, out: Option<&Path>) -> Result<Written> {
        let path = out.map(Path::to_owned);
        match self {
            Self::File(form, file) => {
                file.finish(text_of(form, parcel).as_bytes())?;
                Ok(Written { path, pictures: None })
            }
            Self::Stdout(Form::Qr) => {
                let (frames, needed) = frames(parcel, VERSION_MAX)?;
                let pictures = Some((frames.len(), needed));
                output::once(show_codes::print(&frames))?;
                Ok(Written { path, pictures })
            }
            Self::Stdout(form) => {
                output::once(output::line(&text_of(form, parcel)))?;
                Ok(Written { path, pictures: None })
            }
            Self::Window(window) => {
                window.show(parcel.draw(window.version_max())?).await?;
                Ok(Written { path, pictures: None })
            }
            Self::Folder(folder) => {
                let (frames, needed) = frames(parcel, VERSION_MAX)?;
                folder.finish(&frames)?;
                Ok(Written {
                    path,
                    pictures: Some((frames.len(), needed)),
                })
            }
            Self::Picture(format, path, file) => {
                let (frames, needed) = frames(parcel, VERSION_MAX)?;
                let pictures = Some((frames.len(), needed));
                let path = write_picture(format, path, file, &frames)?;
                Ok(Written {
                    path: Some(path),
                    pictures,
                })
            }
        }
    }
}

fn text_of(form: Form, parcel: &Parcel) -> String {
    match form {
        Form::Text => parcel.line(),
        Form::File | Form::Qr | Form::Code => parcel.file(),
    }
}

/// The codes of a file, and how many of them a reader needs.
pub(super) fn frames(parcel: &Parcel, version_max: u8) -> Result<(Vec<Frame>, usize)> {
    Ok(match parcel.draw(version_max)? {
        Drawing::Single(frame) => (vec![frame], 1),
        Drawing::Sequence(sequence) => {
            let (written, needed) = (sequence.written(), sequence.fragments());
            (sequence.take(written).collect(), needed)
        }
    })
}

/// Writes codes into a file of this format. A PNG holds one: several become a folder beside it.
fn write_picture(format: Format, path: PathBuf, file: NewFile, frames: &[Frame]) -> Result<PathBuf> {
    let codes = || frames.iter().map(|frame| frame.code.clone()).collect::<Vec<_>>();
    let bytes = match (format, frames) {
        (Format::Svg, [frame]) => svg(frame).into_bytes(),
        (Format::Png, [frame]) => png(&frame.code),
        (Format::Gif, [frame]) => gif(&frame.code),
        (Format::Svg, frames) => animated_svg(frames).into_bytes(),
        (Format::Gif, _) => animated_gif(&codes()),
        (Format::Png, frames) => {
            drop(file);
            let folder = path.with_extension("");
            let cannot_create = || format!("cannot create the folder {}", folder.display());
            NewFolder::create(&folder)
                .with_context(cannot_create)?
                .finish(frames)?;
            return Ok(folder);
        }
    };
    file.finish(&bytes)?;
    Ok(path)
}

/// A folder for pictures.
pub(super) struct NewFolder {
    path: PathBuf,
    /// It was made here, so it is removed again if nothing is written into it.
    is_new: bool,
}

impl NewFolder {
    /// Fails if the folder exists and has anything in it.
    fn create(path: &Path) -> std::io::Result<Self> {
        let is_empty = fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
        if !is_empty {
            fs::DirBuilder::new()
                .mode(opencoin_private_files::FOLDER_MODE)
                .create(path)?;
        }
        Ok(Self {
            path: path.to_owned(),
            is_new: !is_empty,
        })
    }

    /// Writes one PNG for each code, named by its number.
    fn finish(&self, frames: &[Frame]) -> Result<()> {
        for (number, frame) in frames.iter().enumerate() {
            let path = self.path.join(format!("{:04}.png", number + 1));
            let written = NewFile::create(&path).and_then(|file| file.finish(&png(&frame.code)));
            written.with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}

impl Drop for NewFolder {
    fn drop(&mut self) {
        if self.is_new {
            // Fails if there is anything in it.
            let _ = fs::remove_dir(&self.path);
        }
    }
}
