//! Two figures side by side, how one relates to the other, and what is aimed at.

#[derive(Default)]
pub struct Table(Vec<[String; 5]>);

impl Table {
    /// A figure where more is better.
    pub fn rate(&mut self, what: String, [left, right]: [f64; 2], aim: &str) {
        let share = format!("{:.0} %", 100.0 * right / left);
        self.0.push([what, thousands(left), thousands(right), share, aim.to_owned()]);
    }

    /// Figures that are not compared.
    pub fn note(&mut self, what: &str, [left, right]: [String; 2], aim: &str) {
        self.0.push([what.to_owned(), left, right, String::new(), aim.to_owned()]);
    }

    pub fn followed_by(mut self, mut other: Self) -> Self {
        self.0.append(&mut other.0);
        self
    }

    pub fn print(&self, left: &str, right: &str, share: &str, aim: &str) {
        println!("{:50}{left:>16}{right:>16}{share:>12}  {aim}", "");
        for [what, left, right, share, aim] in &self.0 {
            println!("{}", format!("{what:50}{left:>16}{right:>16}{share:>12}  {aim}").trim_end());
        }
    }
}

/// A number as people read it.
pub fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
