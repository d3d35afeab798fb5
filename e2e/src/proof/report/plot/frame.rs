//! What a plot stands in: a name and a description for whoever does not see it, and its size.

use maud::{Markup, html};

/// A plot as an image.
pub struct Frame<'a> {
    /// Unlike that of every other plot of the page.
    pub id: &'a str,
    /// What it shows.
    pub title: &'a str,
    /// What there is to be seen.
    pub description: &'a str,
    /// In pixels.
    pub height: u32,
}

impl Frame<'_> {
    /// The image with this in it.
    pub fn around(&self, content: &Markup) -> Markup {
        let (title, description) = (format!("{}-title", self.id), format!("{}-desc", self.id));
        html! {
            div.plot {
                svg role="img" aria-labelledby=(format!("{title} {description}")) width="100%" height=(self.height) {
                    title id=(title) { (self.title) }
                    desc id=(description) { (self.description) }
                    (content)
                }
            }
            "\n"
        }
    }
}
