//! A QR code: what it is drawn from, and how many characters fit.

use qrcode::bits::Bits;
use qrcode::types::Mode;
use qrcode::{Color, EcLevel, QrCode, Version};
use thiserror::Error;

/// The light border that a reader needs around a code, in modules (ISO/IEC 18004, section 6.3.8).
pub const QUIET_ZONE_MODULES: usize = 4;

/// The largest version of a code that is drawn: 121 modules a side, which hold three coins of 2048 bits. A telephone reads
/// it from a screen or a sheet of paper at arm's length; the modules of the largest version there is, 40, are a third
/// smaller.
pub const VERSION_MAX: u8 = 26;

/// The text does not fit a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{chars} characters do not fit a QR code of version {version_max}")]
pub struct TooLong {
    /// The length of the text.
    pub chars: usize,
    /// The largest version that was allowed.
    pub version_max: u8,
}

/// A QR code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// Without the quiet zone.
    modules: usize,
    version: u8,
    /// Row by row.
    dark: Vec<bool>,
}

impl Code {
    /// Draws a text in the smallest code that holds it, of at most `version_max` (1 to 40): with error correction of
    /// level M, which bears dirt and folds, or if it does not fit, of level L.
    ///
    /// # Errors
    /// The text is too long.
    pub fn of_text(text: &str, version_max: u8) -> Result<Self, TooLong> {
        let fits = |level| {
            let code = QrCode::with_error_correction_level(text, level).ok()?;
            (version(&code) <= version_max).then_some(code)
        };
        let code = fits(EcLevel::M).or_else(|| fits(EcLevel::L));
        code.map(Self::from).ok_or(TooLong {
            chars: text.chars().count(),
            version_max,
        })
    }

    /// Draws a text in a code of this version, with error correction of level L: a screen has no dirt.
    pub(crate) fn of_version(text: &str, version: u8) -> Result<Self, TooLong> {
        let code = QrCode::with_version(text, Version::Normal(version.into()), EcLevel::L);
        code.map(Self::from).map_err(|_| TooLong {
            chars: text.chars().count(),
            version_max: version,
        })
    }

    /// The version of the code, 1 to 40.
    #[must_use]
    pub fn version(&self) -> u8 {
        self.version
    }

    /// The modules of a side, with the quiet zone on both ends.
    #[must_use]
    pub fn side(&self) -> usize {
        self.modules + 2 * QUIET_ZONE_MODULES
    }

    /// Whether a module is dark. `column` and `row` count from 0 at the top left of the quiet zone; whatever is outside
    /// of the code is light.
    #[must_use]
    pub fn is_dark(&self, column: usize, row: usize) -> bool {
        let inside = |at: usize| at.checked_sub(QUIET_ZONE_MODULES).filter(|at| *at < self.modules);
        match (inside(column), inside(row)) {
            (Some(column), Some(row)) => self.dark[row * self.modules + column],
            _ => false,
        }
    }
}

impl From<QrCode> for Code {
    fn from(code: QrCode) -> Self {
        let (modules, version) = (code.width(), version(&code));
        let dark = code.into_colors().into_iter().map(|color| color == Color::Dark);
        Self {
            modules,
            version,
            dark: dark.collect(),
        }
    }
}

fn version(code: &QrCode) -> u8 {
    match code.version() {
        Version::Normal(version) => version.try_into().expect("QR codes have versions 1 to 40"),
        Version::Micro(_) => unreachable!("micro codes are drawn on demand only"),
    }
}

/// The modules of a side of this version, with the quiet zone on both ends.
#[must_use]
pub const fn side_of_version(version: u8) -> usize {
    17 + 4 * version as usize + 2 * QUIET_ZONE_MODULES
}

/// How many characters fit a code of this version with error correction of level L, if they are digits, capital letters
/// and `-`, `:`, `/`, `.`, `+`, `*`, `%`, `$` and spaces.
pub(crate) fn alphanumeric_chars(version: u8) -> usize {
    let version = Version::Normal(version.into());
    let bits = Bits::new(version)
        .max_len(EcLevel::L)
        .expect("there are versions 1 to 40");
    let header = version.mode_bits_count() + Mode::Alphanumeric.length_bits_count(version);
    let bits = bits - header;
    bits / 11 * 2 + usize::from(bits % 11 >= 6)
}
