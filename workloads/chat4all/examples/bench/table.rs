//! Two figures side by side, how one relates to the other, and what is aimed at. Rows are printed as they come.

/// The names of the columns.
pub fn head(left: &str, right: &str) {
    line("", [left, right], "share", "aim");
}

/// A figure where more is better.
pub fn rate(what: &str, [left, right]: [f64; 2], aim: &str) {
    let share = format!("{:.0} %", 100.0 * right / left);
    line(what, [&thousands(left), &thousands(right)], &share, aim);
}

/// Figures whose relation says nothing.
pub fn note(what: &str, [left, right]: [String; 2], aim: &str) {
    line(what, [&left, &right], "", aim);
}

fn line(what: &str, [left, right]: [&str; 2], share: &str, aim: &str) {
    println!("{}", format!("{what:64}{left:>16}{right:>16}{share:>8}  {aim}").trim_end());
}

/// A number as people read it.
pub fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
