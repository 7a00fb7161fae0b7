use proptest::prelude::*;
use tokenizers::processors::template::TemplateProcessing;

use super::*;

const WORDS: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "[CLS]", "[SEP]"];
const CLS: u32 = 11;
const SEP: u32 = 12;

/// Words with `[CLS]` before and `[SEP]` after each row.
fn framed(tokens_max: usize, long_text: LongText) -> Result<Tokens, TokenError> {
    let limits = TokenLimits { tokens_max, long_text };
    let bare = Tokens::of_words(&WORDS, limits)?;
    let mut tokenizer = bare.tokenizer;
    let template = TemplateProcessing::builder()
        .try_single("[CLS] $A [SEP]")
        .expect("the template is well formed")
        .special_tokens(vec![("[CLS]", CLS), ("[SEP]", SEP)])
        .build()
        .expect("the template is complete");
    tokenizer.with_post_processor(Some(template));
    Tokens::from_tokenizer(tokenizer, Some(0), 0, limits)
}

fn check(tokens_max: usize, long_text: LongText, text: &str, rows: &[&[u32]]) -> Encoded {
    let encoded = framed(tokens_max, long_text).and_then(|tokens| tokens.encode(text)).expect("words encode");
    assert_eq!(encoded.rows, rows, "{long_text:?}");
    encoded
}

#[test]
fn shows_the_part_of_a_long_text_that_was_asked_for_with_special_tokens() {
    let text = "a b c d e f g h i j";
    let strided = |overlap, windows_max| LongText::Strided { overlap, windows_max };
    check(6, LongText::Head, text, &[&[CLS, 1, 2, 3, 4, SEP]]);
    check(6, LongText::Tail, text, &[&[CLS, 7, 8, 9, 10, SEP]]);
    let both = check(6, LongText::HeadTail, text, &[&[CLS, 1, 8, 9, 10, SEP]]);
    assert!(both.truncated);
    assert_eq!((both.n_tokens, both.characters), (12, 19));
    let all =
        check(6, strided(1, 9), text, &[&[CLS, 1, 2, 3, 4, SEP], &[CLS, 4, 5, 6, 7, SEP], &[CLS, 7, 8, 9, 10, SEP]]);
    assert!(!all.truncated);
    let some = check(6, strided(0, 2), text, &[&[CLS, 1, 2, 3, 4, SEP], &[CLS, 5, 6, 7, 8, SEP]]);
    assert!(some.truncated);
    assert_eq!(some.n_tokens, 12);
}

#[test]
fn a_short_text_is_one_whole_row_and_an_empty_one_its_special_tokens() {
    for long_text in [LongText::Head, LongText::Tail, LongText::HeadTail] {
        let whole = check(6, long_text, "a b x d", &[&[CLS, 1, 2, 0, 4, SEP]]);
        assert!(!whole.truncated);
        assert!((whole.unknown_rate - 0.25).abs() < 1e-6);
        let empty = check(6, long_text, " ", &[&[CLS, SEP]]);
        assert!((empty.n_tokens == 2) && !empty.truncated && empty.unknown_rate == 0.0);
    }
}

#[test]
fn a_huge_text_is_read_in_part_and_its_count_scaled() {
    let text = "a b c d e f g h i j ".repeat(100_000);
    for long_text in [LongText::Head, LongText::Tail, LongText::HeadTail] {
        let encoded = framed(6, long_text).and_then(|tokens| tokens.encode(&text)).expect("words encode");
        assert_eq!(encoded.rows[0].len(), 6, "{long_text:?}");
        assert_eq!(encoded.characters, 2_000_000);
        assert!(encoded.truncated);
        assert!(encoded.n_tokens.abs_diff(1_000_002) < 10_000, "{}", encoded.n_tokens);
    }
    let blank = " ".repeat(100_000) + "a";
    let encoded = framed(6, LongText::Head).and_then(|tokens| tokens.encode(&blank)).expect("blanks encode");
    assert_eq!(encoded.rows, [[CLS, SEP]]);
    assert!(encoded.truncated, "the model did not see the last word");
}

#[test]
fn finds_the_special_tokens_of_the_usual_post_processors() {
    let check = |post_processor: serde_json::Value, before: &[u32], after: &[u32]| {
        let tokenizer = serde_json::json!({
            "version": "1.0",
            "pre_tokenizer": { "type": "WhitespaceSplit" },
            "post_processor": post_processor,
            "model": { "type": "WordLevel", "unk_token": "?", "vocab": { "?": 0, "a": 1 } },
        });
        let tokenizer: Tokenizer = tokenizer.to_string().parse().expect("a whole tokenizer");
        let limits = TokenLimits { tokens_max: 8, long_text: LongText::Head };
        let tokens = Tokens::from_tokenizer(tokenizer, Some(0), 0, limits).expect("a usable frame");
        let encoded = tokens.encode("a").expect("a word encodes");
        assert_eq!(encoded.rows, [[before, &[1], after].concat()], "{post_processor}");
    };
    let bert = serde_json::json!({ "type": "BertProcessing", "sep": ["[SEP]", 12], "cls": ["[CLS]", 11] });
    check(bert, &[11], &[12]);
    let roberta = serde_json::json!({
        "type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 3], "trim_offsets": true, "add_prefix_space": true,
    });
    check(roberta, &[3], &[2]);
    let byte_level =
        serde_json::json!({ "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true });
    check(byte_level.clone(), &[], &[]);
    let begin = serde_json::json!({
        "type": "TemplateProcessing",
        "single": [{ "SpecialToken": { "id": "<s>", "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } }],
        "pair": [{ "Sequence": { "id": "A", "type_id": 0 } }, { "Sequence": { "id": "B", "type_id": 1 } }],
        "special_tokens": { "<s>": { "id": "<s>", "ids": [7, 8], "tokens": ["<", "s>"] } },
    });
    check(begin.clone(), &[7, 8], &[]);
    check(serde_json::json!({ "type": "Sequence", "processors": [byte_level, begin] }), &[7, 8], &[]);
    check(serde_json::Value::Null, &[], &[]);
}

#[test]
fn refuses_limits_without_room() {
    let limits = |tokens_max, long_text| framed(tokens_max, long_text).err();
    assert_eq!(limits(2, LongText::Head), Some(TokenError::NoRoom { tokens_max: 2, special: 2, least: 3 }));
    let strided = LongText::Strided { overlap: 4, windows_max: 1 };
    assert_eq!(limits(6, strided), Some(TokenError::Overlap { overlap: 4, room: 4 }));
}

#[test]
fn many_texts_on_several_threads_keep_their_order() {
    let tokens = framed(6, LongText::Head).expect("the limits leave room");
    let texts: Vec<String> = (0..200).map(|place| format!("{} x", WORDS[place % 10])).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let expected = tokens.encode_all(&texts, 1);
    assert_eq!(expected[3].as_ref().map(|encoded| encoded.rows.clone()), Ok(vec![vec![CLS, 4, 0, SEP]]));
    for threads in [0, 2, 3, 50, 1000] {
        assert_eq!(tokens.encode_all(&texts, threads), expected, "{threads} threads");
    }
    assert!(tokens.encode_all(&[], 4).is_empty());
}

proptest! {
    #[test]
    fn windows_cover_every_token_in_order(length in 0..200usize, tokens_max in 3..20usize, overlap in 0..17usize) {
        prop_assume!(overlap < tokens_max - 2);
        let text: String = (0..length).map(|place| format!("{} ", WORDS[place % 10])).collect();
        let all: Vec<u32> = (1..=10).cycle().take(length).collect();
        let tokens = framed(tokens_max, LongText::Strided { overlap, windows_max: usize::MAX });
        let encoded = tokens.and_then(|tokens| tokens.encode(&text)).expect("words encode");
        let mut seen: Vec<u32> = Vec::new();
        for (place, row) in encoded.rows.iter().enumerate() {
            prop_assert!(row.len() <= tokens_max);
            prop_assert_eq!((row[0], row[row.len() - 1]), (CLS, SEP));
            let own = &row[1..row.len() - 1];
            let repeated = if place == 0 { 0 } else { overlap };
            prop_assert_eq!(&own[..repeated], &seen[seen.len() - repeated..]);
            seen.extend(&own[repeated..]);
        }
        prop_assert_eq!(seen, all);
        prop_assert!(!encoded.truncated);
        prop_assert_eq!(encoded.n_tokens, length + 2);
    }

    #[test]
    fn never_panics_and_keeps_its_limits(text in ".{0,300}", tokens_max in 3..12usize) {
        for long_text in [LongText::Head, LongText::Tail, LongText::HeadTail] {
            let encoded = framed(tokens_max, long_text).and_then(|tokens| tokens.encode(&text)).expect("any text encodes");
            prop_assert_eq!(encoded.rows.len(), 1);
            prop_assert!(encoded.rows[0].len() <= tokens_max);
            prop_assert!((0.0..=1.0).contains(&encoded.unknown_rate));
            prop_assert_eq!(encoded.truncated, encoded.n_tokens > encoded.rows[0].len());
        }
    }
}
