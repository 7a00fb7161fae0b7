//! The texts that the demo's customers write: templates with slots, filled once into about 2,000 distinct messages.
//!
//! `messages.txt` holds the templates in a form that anyone can read and extend. The stream then draws from the pool
//! by weight, so that some things are asked often, and the same sentence turns up again now and then, as in life.
//! Midway the weights change, so that the drift worker has something to find.

use std::collections::BTreeMap;

use fastrand::Rng;

const TEMPLATES: &str = include_str!("messages.txt");

/// Messages made of one template, as far as they differ. 8 over 313 templates give about 2,000 distinct ones.
const VARIANTS_PER_TEMPLATE: usize = 8;
/// One message in this many starts with a greeting, and as many end with a closing phrase.
const PHRASE_EVERY: usize = 3;

/// What customers write about: as usual, or as they do once something has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mix {
    Usual,
    Changed,
}

/// A pool of messages to draw from.
#[derive(Debug)]
pub(crate) struct Messages {
    intents: Vec<Intent>,
    random: Rng,
}

#[derive(Debug)]
struct Intent {
    /// How often it is written about, in each mix.
    usual: usize,
    changed: usize,
    texts: Vec<String>,
}

impl Intent {
    fn weight(&self, mix: Mix) -> usize {
        match mix {
            Mix::Usual => self.usual,
            Mix::Changed => self.changed,
        }
    }
}

/// Why `messages.txt` cannot be used; it is compiled in, so only its author meets this.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("read the demo's message templates, line {line}: {problem}")]
pub struct TemplateError {
    pub line: usize,
    pub problem: String,
}

impl Messages {
    /// The same seed gives the same messages in the same order.
    ///
    /// # Errors
    /// When the template file is malformed.
    pub(crate) fn new(seed: u64) -> Result<Self, TemplateError> {
        let mut random = Rng::with_seed(seed);
        Ok(Self { intents: parse(TEMPLATES, &mut random)?, random })
    }

    /// The next message of the stream.
    pub(crate) fn draw(&mut self, mix: Mix) -> &str {
        let all: usize = self.intents.iter().map(|intent| intent.weight(mix)).sum();
        let mut place = self.random.usize(..all);
        let intent = self
            .intents
            .iter()
            .find(|intent| {
                let weight = intent.weight(mix);
                let found = place < weight;
                place = place.saturating_sub(weight);
                found
            })
            .expect("the place lies below the sum of the weights");
        &intent.texts[self.random.usize(..intent.texts.len())]
    }
}

type Slots<'a> = BTreeMap<&'a str, Vec<&'a str>>;

/// Slots may be named below the templates that use them, so the file is read twice.
fn parse(file: &str, random: &mut Rng) -> Result<Vec<Intent>, TemplateError> {
    let lines = || (1..).zip(file.lines()).filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let slots: Slots<'_> = lines().filter_map(|(_, line)| slot(line)).collect();
    let mut intents: Vec<Intent> = Vec::new();
    for (line, text) in lines().filter(|(_, line)| slot(line).is_none()) {
        let error = |problem: &str| TemplateError { line, problem: problem.to_owned() };
        if let Some(heading) = text.strip_prefix('[') {
            let weights = heading.split_once("] ").and_then(|(_, weights)| weights_of(weights));
            let (usual, changed) =
                weights.ok_or_else(|| error("a heading looks like \"[intent] 2\" or \"[intent] 2 then 6\""))?;
            intents.push(Intent { usual, changed, texts: Vec::new() });
        } else {
            let intent = intents.last_mut().ok_or_else(|| error("a template stands before the first heading"))?;
            for _ in 0..VARIANTS_PER_TEMPLATE {
                let message = fill(text, &slots, random).ok_or_else(|| error("a slot has no list of words"))?;
                if !intent.texts.contains(&message) {
                    intent.texts.push(message);
                }
            }
        }
    }
    Ok(intents)
}

/// The weight in the usual mix and in the changed one: `2`, or `2 then 6`.
fn weights_of(text: &str) -> Option<(usize, usize)> {
    let (usual, changed) = text.split_once(" then ").unwrap_or((text, text));
    Some((usual.parse().ok()?, changed.parse().ok()?))
}

fn slot(line: &str) -> Option<(&str, Vec<&str>)> {
    let (name, words) = line.strip_prefix('{')?.split_once("} = ")?;
    Some((name, words.split(" | ").collect()))
}

/// One message of a template; `None` when it names a slot that does not exist.
fn fill(template: &str, slots: &Slots<'_>, random: &mut Rng) -> Option<String> {
    let mut message = String::new();
    if random.usize(..PHRASE_EVERY) == 0 {
        message.push_str(slots.get("opener").and_then(|words| random.choice(words))?);
        message.push(' ');
    }
    let greeted = !message.is_empty();
    let mut body = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        body.push_str(before);
        body.push_str(slots.get(name).and_then(|words| random.choice(words))?);
        rest = after;
    }
    body.push_str(rest);
    message.push_str(&start(&body, greeted));
    if random.usize(..PHRASE_EVERY) == 0 {
        message.push(' ');
        message.push_str(slots.get("closer").and_then(|words| random.choice(words))?);
    }
    Some(message)
}

/// The sentence with a capital at its start, or a small letter after a greeting: `Hi, my card ...`, but `Hi, I lost ...`.
fn start(sentence: &str, greeted: bool) -> String {
    let mut characters = sentence.chars();
    let Some(first) = characters.next() else { return String::new() };
    let is_word = characters.clone().next().is_some_and(char::is_lowercase);
    match (greeted, is_word) {
        (true, true) => first.to_lowercase().chain(characters).collect(),
        (true, false) => sentence.to_owned(),
        (false, _) => first.to_uppercase().chain(characters).collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn about_two_thousand_distinct_messages_over_all_77_intents() {
        let messages = Messages::new(1).unwrap();
        let usual: Vec<_> = messages.intents.iter().filter(|intent| intent.usual > 0).collect();
        let distinct: BTreeSet<_> = usual.iter().flat_map(|intent| &intent.texts).collect();
        assert_eq!(usual.len(), 77);
        assert!((1_800..2_300).contains(&distinct.len()), "{} messages", distinct.len());
        for message in distinct {
            assert!(message.len() > 15 && !message.contains(['{', '}', '|']) && !message.contains("  "), "{message}");
        }
    }

    #[test]
    fn a_seed_gives_one_stream_and_weights_are_kept() {
        let mut one = Messages::new(7).unwrap();
        let mut two = Messages::new(7).unwrap();
        let first: Vec<_> = (0..5_000).map(|_| one.draw(Mix::Usual).to_owned()).collect();
        assert!(first.iter().all(|message| message == two.draw(Mix::Usual)));
        let swallowed = first.iter().filter(|message| message.contains("swallowed")).count();
        let spare = first.iter().filter(|message| message.contains("spare card")).count();
        assert!(swallowed > 0 && spare > 0 && swallowed > spare / 2);
    }

    #[test]
    fn in_the_changed_mix_one_label_triples_and_a_topic_appears() {
        let mut messages = Messages::new(3).unwrap();
        let mut share = |mix, word: &str| {
            let found = (0..10_000).filter(|_| messages.draw(mix).contains(word)).count();
            found as f64 / 10_000.0
        };
        assert!(share(Mix::Usual, "palm") < 0.001);
        assert!((0.2..0.35).contains(&share(Mix::Changed, "palm")));
        let (before, after) = (share(Mix::Usual, "twice"), share(Mix::Changed, "twice"));
        assert!(after > 2.0 * before, "{before} then {after}");
    }

    #[test]
    fn sentences_start_as_people_write_them() {
        assert_eq!(start("the bakery", false), "The bakery");
        assert_eq!(start("My card", true), "my card");
        assert_eq!(start("I lost it", true), "I lost it");
    }

    #[test]
    fn a_malformed_template_is_named_by_its_line() {
        let cases = [
            ("a template", "before the first heading"),
            ("[intent]\n", "a heading looks like"),
            ("[intent] 1\nwhere is {nothing}", "no list of words"),
        ];
        for (file, expected) in cases {
            let error = parse(file, &mut Rng::with_seed(1)).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
}
