//! Text in the characters that every bank of SEPA transmits.

/// The text in letters, digits, spaces and `/-?:().,'+`, at most `chars_max` characters. Letters with marks lose them,
/// others become a full stop.
pub(crate) fn sepa_text(text: &str, chars_max: usize) -> String {
    let mut written = String::new();
    for character in text.chars() {
        match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' => written.push(character),
            '/' | '-' | '?' | ':' | '(' | ')' | '.' | ',' | '\'' | '+' => written.push(character),
            _ if character.is_whitespace() => written.push(' '),
            _ => written.push_str(without_marks(character)),
        }
    }
    let words: Vec<&str> = written.split(' ').filter(|word| !word.is_empty()).collect();
    let text: String = words.join(" ").chars().take(chars_max).collect();
    // A slash has a meaning for banks at both ends.
    text.trim_matches([' ', '/']).to_owned()
}

fn without_marks(character: char) -> &'static str {
    match character {
        'à' | 'á' | 'â' | 'ã' | 'å' | 'ā' | 'ă' | 'ą' => "a",
        'À' | 'Á' | 'Â' | 'Ã' | 'Å' | 'Ā' | 'Ă' | 'Ą' => "A",
        'ä' | 'æ' => "ae",
        'Ä' | 'Æ' => "Ae",
        'ç' | 'ć' | 'č' => "c",
        'Ç' | 'Ć' | 'Č' => "C",
        'ď' | 'đ' | 'ð' => "d",
        'Ď' | 'Đ' | 'Ð' => "D",
        'è' | 'é' | 'ê' | 'ë' | 'ē' | 'ė' | 'ę' | 'ě' => "e",
        'È' | 'É' | 'Ê' | 'Ë' | 'Ē' | 'Ė' | 'Ę' | 'Ě' => "E",
        'ğ' | 'ģ' => "g",
        'Ğ' | 'Ģ' => "G",
        'ì' | 'í' | 'î' | 'ï' | 'ī' | 'į' | 'ı' => "i",
        'Ì' | 'Í' | 'Î' | 'Ï' | 'Ī' | 'Į' | 'İ' => "I",
        'ķ' => "k",
        'Ķ' => "K",
        'ł' | 'ľ' | 'ļ' => "l",
        'Ł' | 'Ľ' | 'Ļ' => "L",
        'ñ' | 'ń' | 'ň' | 'ņ' => "n",
        'Ñ' | 'Ń' | 'Ň' | 'Ņ' => "N",
        'ò' | 'ó' | 'ô' | 'õ' | 'ő' => "o",
        'Ò' | 'Ó' | 'Ô' | 'Õ' | 'Ő' => "O",
        'ö' | 'ø' | 'œ' => "oe",
        'Ö' | 'Ø' | 'Œ' => "Oe",
        'ř' | 'ŕ' => "r",
        'Ř' | 'Ŕ' => "R",
        'ś' | 'š' | 'ş' | 'ș' => "s",
        'Ś' | 'Š' | 'Ş' | 'Ș' => "S",
        'ß' => "ss",
        'ť' | 'ţ' | 'ț' => "t",
        'Ť' | 'Ţ' | 'Ț' => "T",
        'þ' => "th",
        'Þ' => "Th",
        'ù' | 'ú' | 'û' | 'ů' | 'ű' | 'ū' | 'ų' => "u",
        'Ù' | 'Ú' | 'Û' | 'Ů' | 'Ű' | 'Ū' | 'Ų' => "U",
        'ü' => "ue",
        'Ü' => "Ue",
        'ý' | 'ÿ' => "y",
        'Ý' => "Y",
        'ź' | 'ż' | 'ž' => "z",
        'Ź' | 'Ż' | 'Ž' => "Z",
        '&' => "+",
        _ => ".",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn letters_lose_their_marks() {
        assert_eq!(sepa_text("Jürgen Groß & Søn", 70), "Juergen Gross + Soen");
        assert_eq!(sepa_text("//=1+1\t<b>\n李//", 70), ".1+1 .b. .");
        assert_eq!(sepa_text(&"x".repeat(100), 35), "x".repeat(35));
    }

    proptest! {
        #[test]
        fn every_text_becomes_one_that_banks_transmit(text in any::<String>(), chars_max in 0_usize..80) {
            let written = sepa_text(&text, chars_max);
            prop_assert!(written.len() <= chars_max);
            prop_assert!(written.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-?:().,'+ ".contains(&byte)));
            prop_assert_eq!(written.trim(), &written);
        }
    }
}
