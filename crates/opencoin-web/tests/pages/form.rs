//! A form of a page, as a browser reads it.

/// Fields that nobody types. A test that sends one sends it twice.
const HIDDEN: [&str; 3] = ["form_token", "key", "preview"];

/// The HTML of a form, with its own tag.
pub(crate) struct Form<'page> {
    html: &'page str,
}

impl<'page> Form<'page> {
    /// The form of a page that is sent to `action`.
    #[track_caller]
    pub(crate) fn of(page: &'page str, action: &str) -> Self {
        let start = format!("action=\"{action}\"");
        let forms = page.split("<form ").skip(1);
        let mut forms = forms.map(|rest| rest.split("</form>").next().unwrap());
        let html = forms.find(|html| html.split('>').next().unwrap().contains(&start));
        let html = html.unwrap_or_else(|| panic!("no form for {action}:\n{page}"));
        assert!(html.starts_with("method=\"post\""), "{html}");
        Self { html }
    }

    /// Its hidden fields.
    pub(crate) fn hidden(&self) -> Vec<(String, String)> {
        let tags = self.html.split("<input type=\"hidden\"").skip(1);
        tags.map(|tag| (attribute(tag, "name"), attribute(tag, "value")))
            .collect()
    }

    /// Somebody without scripts can fill in this field.
    #[track_caller]
    pub(crate) fn has_field(&self, name: &str) {
        if HIDDEN.contains(&name) {
            return;
        }
        let named = format!("name=\"{name}\"");
        let tags = self.html.split('<').map(|tag| tag.split('>').next().unwrap());
        let mut visible = tags.filter(|tag| {
            let is_field = ["input ", "select ", "textarea ", "button "]
                .iter()
                .any(|kind| tag.starts_with(kind));
            is_field && tag.contains(&named) && !tag.contains("type=\"hidden\"") && !tag.ends_with(" hidden")
        });
        assert!(
            visible.next().is_some(),
            "there is no field {name} in {}",
            self.html
        );
    }

    /// The browser sends the content of a file, and not its name alone.
    #[track_caller]
    pub(crate) fn sends_files(&self) {
        let tag = self.html.split('>').next().unwrap();
        assert!(tag.contains("enctype=\"multipart/form-data\""), "{tag}");
    }
}

fn attribute(tag: &str, name: &str) -> String {
    let value = tag.split(&format!("{name}=\"")).nth(1).unwrap();
    let value = value.split('"').next().unwrap();
    value
        .replace("&#38;", "&")
        .replace("&#34;", "\"")
        .replace("&#60;", "<")
        .replace("&#62;", ">")
        .replace("&#39;", "'")
}
