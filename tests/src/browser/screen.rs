//! The screens of visitors: sizes, colours, with and without scripts.

use serde_json::json;

use super::Browser;

/// Which colours a visitor prefers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colours {
    /// Dark text on a light ground.
    Light,
    /// Light text on a dark ground.
    Dark,
}

/// The screen of a visitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Screen {
    /// A short word for names of files.
    pub name: &'static str,
    /// In pixels of CSS.
    pub width: u32,
    /// In pixels of CSS.
    pub height: u32,
    /// The number of pixels of the screen in one of CSS, which grows when a visitor zooms.
    pub scale: u32,
}

impl Screen {
    /// A computer.
    pub const WIDE: Self = Self::new("wide", 1280, 900, 1);
    /// A telephone.
    pub const NARROW: Self = Self::new("narrow", 360, 740, 2);
    /// A computer whose visitor has zoomed to 400%.
    pub const ZOOMED: Self = Self::new("zoomed", 320, 225, 4);
    /// Every one.
    pub const ALL: [Self; 3] = [Self::WIDE, Self::NARROW, Self::ZOOMED];

    const fn new(name: &'static str, width: u32, height: u32, scale: u32) -> Self {
        Self {
            name,
            width,
            height,
            scale,
        }
    }
}

impl Colours {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Light, Self::Dark];

    /// The word of CSS.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

impl Browser {
    /// Shows pages on this screen.
    pub fn use_screen(&self, screen: Screen) {
        let metrics = json!({
            "width": screen.width,
            "height": screen.height,
            "deviceScaleFactor": screen.scale,
            "mobile": false,
        });
        self.devtools("Emulation.setDeviceMetricsOverride", &metrics);
    }

    /// Prefers these colours.
    pub fn prefer(&self, colours: Colours) {
        let feature = json!({ "name": "prefers-color-scheme", "value": colours.name() });
        self.devtools("Emulation.setEmulatedMedia", &json!({ "features": [feature] }));
    }

    /// Puts the visitor into a time zone, such as `Asia/Tokyo`.
    pub fn use_zone(&self, zone: &str) {
        self.devtools("Emulation.setTimezoneOverride", &json!({ "timezoneId": zone }));
    }

    /// Makes the screen as high as the page, so that a picture shows all of it.
    pub fn unroll(&self, screen: Screen) {
        let height = self.run("return document.documentElement.scrollHeight");
        let height = height.as_u64().and_then(|height| u32::try_from(height).ok());
        self.use_screen(Screen {
            height: height.expect("a page has a height"),
            // A zoomed page as high as this would be a picture of many megabytes.
            scale: 1,
            ..screen
        });
    }

    /// By how many pixels of CSS the page is wider than the screen, so that one must scroll to both sides to read it.
    #[must_use]
    pub fn overhang(&self) -> i64 {
        let wider =
            self.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth");
        wider.as_i64().expect("a number of pixels")
    }
}
