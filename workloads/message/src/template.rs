//! A message whose text was approved by the provider beforehand: its name, its language and what
//! goes into its blanks. The form is that of Meta's templates; whether a template of this name is
//! there, only the provider knows.

mod check;

use serde::{Deserialize, Serialize};

pub use check::NotATemplate;

/// A template with what goes into its blanks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// As it was given at the provider.
    pub name: String,
    /// Which of its translations, such as `pt_BR`.
    pub language: String,
    /// The parts that have blanks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<Component>,
}

/// A part of a template that has blanks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Component {
    /// Its first line or its file.
    Header {
        /// Exactly one.
        parameters: Vec<Parameter>,
    },
    /// Its text.
    Body {
        /// In the order of the blanks, or each with its name.
        parameters: Vec<Parameter>,
    },
    /// One of its buttons.
    Button {
        /// What the button does.
        sub_type: Button,
        /// Which one, from 0.
        index: u8,
        /// Exactly one.
        parameters: Vec<Parameter>,
    },
}

/// What a button of a template does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Button {
    /// Sends a payload back.
    QuickReply,
    /// Opens a URL, whose end is given.
    Url,
    /// Copies a code.
    CopyCode,
}

/// What goes into one blank.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Parameter {
    /// Words.
    Text {
        /// The words.
        text: String,
        /// The name of the blank, where the template names its blanks.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        parameter_name: Option<String>,
    },
    /// An amount.
    Currency {
        /// The amount.
        currency: Currency,
    },
    /// An instant, in words.
    DateTime {
        /// The instant.
        date_time: DateTime,
    },
    /// A picture.
    Image {
        /// The picture.
        image: File,
    },
    /// A film.
    Video {
        /// The film.
        video: File,
    },
    /// Any other file.
    Document {
        /// The file.
        document: File,
    },
    /// What a quick reply sends back.
    Payload {
        /// At most 128 characters.
        payload: String,
    },
    /// What the button copies.
    CouponCode {
        /// At most 15 letters and digits.
        coupon_code: String,
    },
}

/// An amount of money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Currency {
    /// Shown where the provider cannot write the amount in the recipient's way.
    pub fallback_value: String,
    /// Three letters of ISO 4217.
    pub code: String,
    /// The amount times 1000.
    pub amount_1000: i64,
}

/// An instant, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DateTime {
    /// As it is shown.
    pub fallback_value: String,
}

/// A file in a header, by one of its two names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Where it lies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// The provider's id of a file that was uploaded before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What a document is shown as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn order() -> Value {
        json!({"name": "order_shipped", "language": "pt_BR", "components": [
            {"type": "header", "parameters": [{"type": "image", "image": {"link": "https://files.example/a.png"}}]},
            {"type": "body", "parameters": [
                {"type": "text", "text": "Maria"},
                {"type": "currency", "currency": {"fallback_value": "R$ 10,50", "code": "BRL", "amount_1000": 10500}},
                {"type": "date_time", "date_time": {"fallback_value": "25 de novembro"}},
            ]},
            {"type": "button", "sub_type": "url", "index": 0, "parameters": [{"type": "text", "text": "1042"}]},
            {"type": "button", "sub_type": "quick_reply", "index": 1, "parameters": [{"type": "payload", "payload": "stop"}]},
        ]})
    }

    fn read(template: Value) -> Result<Template, NotATemplate> {
        serde_json::from_value::<Template>(template).unwrap().checked()
    }

    #[test]
    fn a_template_reads_back_as_it_was_written() {
        let template = read(order()).unwrap();
        assert_eq!(serde_json::to_value(&template).unwrap(), order());
        let plain = json!({"name": "hello_world", "language": "en"});
        assert_eq!(serde_json::to_value(read(plain.clone()).unwrap()).unwrap(), plain);
    }

    #[rstest]
    #[case("/name", json!("Order Shipped"), "template.name")]
    #[case("/name", json!(""), "template.name")]
    #[case("/language", json!("portuguese"), "template.language")]
    #[case("/components/0/parameters", json!([]), "components[0].parameters must hold exactly one")]
    #[case("/components/0/parameters/0", json!({"type": "payload", "payload": "x"}), "components[0].parameters[0] cannot stand in a header")]
    #[case("/components/0/parameters/0", json!({"type": "text", "text": "x".repeat(61)}), "at most 60 characters")]
    #[case("/components/0/parameters/0/image", json!({}), "needs either link or id")]
    #[case("/components/0/parameters/0/image", json!({"link": "https://files.example/a", "id": "7"}), "needs either link or id")]
    #[case("/components/0/parameters/0/image", json!({"link": "file-7"}), "http:// or https://")]
    #[case("/components/1/parameters/0/text", json!(""), "components[1].parameters[0] is empty")]
    #[case("/components/1/parameters/0/text", json!("one\ntwo"), "no line breaks")]
    #[case("/components/1/parameters/0/text", json!("x".repeat(1025)), "at most 1024 characters")]
    #[case("/components/1/parameters/1/currency/code", json!("reais"), "ISO 4217")]
    #[case("/components/2/parameters/0", json!({"type": "payload", "payload": "x"}), "components[2].parameters[0] must be of type text")]
    #[case("/components/3/parameters/0/payload", json!("x".repeat(129)), "at most 128 characters")]
    #[case("/components/3/index", json!(0), "components[3].index 0 is given twice")]
    #[case("/components/3/index", json!(10), "0 to 9")]
    #[case("/components/0", json!({"type": "body", "parameters": []}), "components[1] is a second body")]
    fn what_the_provider_would_refuse_is_named_with_its_place(
        #[case] place: &str,
        #[case] value: Value,
        #[case] says: &str,
    ) {
        let mut template = order();
        *template.pointer_mut(place).unwrap() = value;
        let why = read(template).unwrap_err().to_string();
        assert!(why.contains(says) && why.starts_with("template."), "{why}");
    }

    #[test]
    fn a_body_that_stands_alone_may_be_longer() {
        let body = |n: usize| {
            let parameters = json!([{"type": "text", "text": "x".repeat(n)}]);
            read(json!({"name": "t", "language": "en", "components": [{"type": "body", "parameters": parameters}]}))
        };
        assert!(body(32_768).is_ok());
        assert!(body(32_769).unwrap_err().to_string().contains("at most 32768 characters"));
    }
}
