//! Turns templates into the texts of a chart's files.

use std::fmt::Write;

use serde_json::Value as Json;

use super::IMAGES;
use super::Knob;
use super::build::Template;
use super::expression::{Expression, Form, Hole, Piece};
use super::sample::Setting;
use super::tree::{Condition, Entry, Node, Test, is_whole};
use crate::stack::Kind;
use crate::yaml;

/// A template of the chart's own that others include.
pub const SECONDS: &str = "motif.seconds";
/// Another one.
pub const LITERAL: &str = "motif.literal";

/// Writes templates.
pub struct Writer<'a> {
    knobs: &'a [Knob],
    text: String,
}

/// The text of a template.
pub fn template(knobs: &[Knob], template: &Template) -> Result<String, yaml::Error> {
    let mut writer = Writer {
        knobs,
        text: String::new(),
    };
    writer.when(&template.conditions, 0, |writer| writer.block(&template.node, 0))?;
    writer.keep_white_space(0);
    Ok(writer.text)
}

impl Writer<'_> {
    /// Writes a part that is there while conditions hold.
    fn when(
        &mut self,
        conditions: &[Condition],
        indent: usize,
        write: impl FnOnce(&mut Self) -> Result<(), yaml::Error>,
    ) -> Result<(), yaml::Error> {
        if conditions.is_empty() {
            return write(self);
        }
        let condition = self.all(conditions);
        self.action(indent, &format!("if {condition}"));
        write(self)?;
        self.action(indent, "end");
        Ok(())
    }

    /// A line of its own; it takes away the end of the line before it.
    fn action(&mut self, indent: usize, action: &str) {
        self.keep_white_space(indent);
        let _ = writeln!(self.text, "{:indent$}{{{{- {action} }}}}", "");
    }

    /// Ends a text whose last spaces and line breaks count: an action takes them away, and Helm those at a file's end.
    fn keep_white_space(&mut self, indent: usize) {
        let last = self.text.strip_suffix('\n').unwrap_or(&self.text);
        if last.ends_with(char::is_whitespace) {
            let _ = writeln!(self.text, "{:indent$}#", "");
        }
    }

    /// Writes a mapping or a list.
    fn block(&mut self, node: &Node, indent: usize) -> Result<(), yaml::Error> {
        match node {
            Node::Literal(json) => self.literal(json, indent),
            Node::Map(entries) => entries.iter().try_for_each(|entry| self.entry(entry, indent)),
            Node::List(entries) => entries.iter().try_for_each(|entry| self.item(entry, indent)),
            Node::Expression(_) | Node::Hash(_) | Node::Choose(_) => Ok(()),
        }
    }

    fn entry(&mut self, entry: &Entry<String>, indent: usize) -> Result<(), yaml::Error> {
        self.when(&entry.conditions, indent, |writer| {
            writer.value(&Parent::Key(&entry.key), &entry.node, indent)
        })
    }

    fn item(&mut self, entry: &Entry<()>, indent: usize) -> Result<(), yaml::Error> {
        self.when(&entry.conditions, indent, |writer| {
            writer.value(&Parent::Item, &entry.node, indent)
        })
    }

    /// Writes a value with its key, or as an item.
    fn value(&mut self, parent: &Parent<'_>, node: &Node, indent: usize) -> Result<(), yaml::Error> {
        match node {
            Node::Literal(json) => self.literal(&parent.of(json.clone()), indent),
            Node::Hash(files) => {
                let includes = files
                    .iter()
                    .map(|file| format!("(include (print $.Template.BasePath \"/{file}.yaml\") .)"));
                let includes: Vec<String> = includes.collect();
                self.scalar(
                    parent,
                    &format!("{{{{ print {} | sha256sum }}}}", includes.join(" ")),
                    indent,
                )
            }
            Node::Expression(expression) => self.expression(parent, expression, indent),
            Node::Choose(cases) => {
                for (index, (condition, node)) in cases.iter().enumerate() {
                    let test = self.all(std::slice::from_ref(condition));
                    if index == 0 {
                        self.action(indent, &format!("if {test}"));
                    } else if index + 1 < cases.len() {
                        self.action(indent, &format!("else if {test}"));
                    } else {
                        self.action(indent, "else");
                    }
                    self.value(parent, node, indent)?;
                }
                self.action(indent, "end");
                Ok(())
            }
            Node::Map(_) | Node::List(_) => {
                let (first, inner) = match (parent, node) {
                    (Parent::Key(key), Node::List(_)) => (key_text(key)?, indent),
                    (Parent::Key(key), _) => (key_text(key)?, indent + 2),
                    (Parent::Item, _) => ("-".to_owned(), indent + 2),
                };
                let start = self.text.len();
                self.block(node, inner)?;
                let body = self.text.split_off(start);
                let indented = format!("{:inner$}", "");
                let joins = matches!(parent, Parent::Item)
                    && !body.trim_start().starts_with("{{-")
                    && body.starts_with(&indented);
                let _ = if joins {
                    write!(self.text, "{:indent$}- {}", "", &body[inner..])
                } else {
                    write!(self.text, "{:indent$}{first}\n{body}", "")
                };
                Ok(())
            }
        }
    }

    fn literal(&mut self, json: &Json, indent: usize) -> Result<(), yaml::Error> {
        let yaml = yaml::to_string(json)?;
        self.lines(&escaped(&yaml), indent);
        Ok(())
    }

    fn lines(&mut self, text: &str, indent: usize) {
        for line in text.split_inclusive('\n') {
            if line != "\n" {
                let _ = write!(self.text, "{:indent$}", "");
            }
            self.text.push_str(line);
        }
    }

    /// A scalar that is written as it is.
    fn scalar(&mut self, parent: &Parent<'_>, text: &str, indent: usize) -> Result<(), yaml::Error> {
        let _ = match parent {
            Parent::Key(key) => writeln!(self.text, "{:indent$}{} {text}", "", key_text(key)?),
            Parent::Item => writeln!(self.text, "{:indent$}- {text}", ""),
        };
        Ok(())
    }

    fn expression(
        &mut self,
        parent: &Parent<'_>,
        expression: &Expression,
        indent: usize,
    ) -> Result<(), yaml::Error> {
        let text = match expression {
            Expression::Plain(hole) => {
                let text = format!("{{{{ {} }}}}", self.hole(hole));
                return self.scalar(parent, &text, indent);
            }
            Expression::Text(pieces) => {
                let literals: String = pieces.iter().filter_map(literal_of).collect();
                let is_tame =
                    !literals.contains(|character: char| character.is_control() && character != '\n');
                let mut holes = pieces.iter().filter_map(hole_of);
                if is_tame && holes.all(|hole| hole.is_tame(self.knobs)) {
                    return self.tame(parent, pieces, literals.contains('\n'), indent);
                }
                self.print(pieces)
            }
            Expression::Expanded(pieces) => format!("include \"{LITERAL}\" {}", self.operand(pieces)),
            Expression::Path(pieces) => format!("clean {}", self.operand(pieces)),
        };
        self.scalar(parent, &format!("{{{{ {text} | quote }}}}"), indent)
    }

    /// What makes a text of its pieces.
    fn print(&self, pieces: &[Piece]) -> String {
        if let [Piece::Hole(hole)] = pieces {
            return self.hole(hole);
        }
        let operands: Vec<String> = pieces
            .iter()
            .map(|piece| match piece {
                Piece::Literal(text) => go_string(text),
                Piece::Hole(hole) => format!("({} | toString)", self.hole(hole)),
            })
            .collect();
        format!("print {}", operands.join(" "))
    }

    /// The same for a function of a text.
    fn operand(&self, pieces: &[Piece]) -> String {
        match pieces {
            [Piece::Hole(_)] => self.print(pieces),
            pieces => format!("({})", self.print(pieces)),
        }
    }

    /// A text whose values have nothing that YAML could take for something else.
    fn tame(
        &mut self,
        parent: &Parent<'_>,
        pieces: &[Piece],
        has_lines: bool,
        indent: usize,
    ) -> Result<(), yaml::Error> {
        if !has_lines {
            let mut text = String::from("\"");
            for piece in pieces {
                match piece {
                    Piece::Literal(literal) => {
                        let quoted = Json::from(literal.as_str()).to_string();
                        text.push_str(&escaped(&quoted[1..quoted.len() - 1]));
                    }
                    Piece::Hole(hole) => {
                        let _ = write!(text, "{{{{ {} }}}}", self.hole(hole));
                    }
                }
            }
            text.push('"');
            return self.scalar(parent, &text, indent);
        }
        // Words that stand in no text take the places of the values until it is written.
        let literals: String = pieces.iter().filter_map(literal_of).collect();
        let mut word = String::from("hole");
        while literals.contains(&word) {
            word.push('x');
        }
        let mut text = String::new();
        let mut actions = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Literal(literal) => text.push_str(literal),
                Piece::Hole(hole) => {
                    let _ = write!(text, "{word}{}z", actions.len());
                    actions.push(format!("{{{{ {} }}}}", self.hole(hole)));
                }
            }
        }
        let mut yaml = escaped(&yaml::to_string(&parent.of(text.into()))?);
        for (index, action) in actions.iter().enumerate() {
            yaml = yaml.replace(&format!("{word}{index}z"), action);
        }
        self.lines(&yaml, indent);
        Ok(())
    }

    /// A value, as a template has it.
    fn hole(&self, hole: &Hole) -> String {
        let value = name(&self.knobs[hole.knob]);
        let kind = self.knobs[hole.knob].parameter.kind;
        let number = format!("int64 {value}");
        match hole.form {
            Form::Itself if is_whole(kind) => number,
            // Helm would show a large one and a small one with an exponent.
            Form::Itself if kind == Kind::Number => format!("toJson {value}"),
            Form::Itself => value,
            Form::Linear(1, 0) => number,
            Form::Linear(1, more) => format!("add ({number}) {more}"),
            Form::Linear(times, 0) => format!("mul ({number}) {times}"),
            Form::Linear(times, more) => format!("add (mul ({number}) {times}) {more}"),
            Form::Seconds(0) => format!("include \"{SECONDS}\" {value}"),
            Form::Seconds(least) => format!("max {least} (include \"{SECONDS}\" {value} | int64)"),
        }
    }

    fn all(&self, conditions: &[Condition]) -> String {
        let tests: Vec<String> = conditions.iter().map(|condition| self.test(condition)).collect();
        match tests.as_slice() {
            [test] => test.clone(),
            tests => {
                let tests: Vec<String> = tests.iter().map(|test| format!("({test})")).collect();
                format!("and {}", tests.join(" "))
            }
        }
    }

    fn test(&self, condition: &Condition) -> String {
        let knob = &self.knobs[condition.knob];
        let value = name(knob);
        let is_boolean = knob.parameter.kind == Kind::Boolean;
        match &condition.test {
            Test::Among(among) if is_boolean => match among.as_slice() {
                [only] if only == "true" => value,
                [only] if only == "false" => format!("not {value}"),
                _ => "true".to_owned(),
            },
            Test::Among(among) => match among.as_slice() {
                [only] => format!("eq {value} {}", go_string(only)),
                among => {
                    let among: Vec<String> = among.iter().map(|one| go_string(one)).collect();
                    format!("has {value} (list {})", among.join(" "))
                }
            },
            Test::Empty(true) => format!("eq {value} \"\""),
            Test::Empty(false) => format!("ne {value} \"\""),
            Test::Between(least, most) => {
                let number = format!("(int64 {value})");
                match (least, most) {
                    (None, None) => "true".to_owned(),
                    (Some(least), None) => format!("ge {number} {least}"),
                    (None, Some(most)) => format!("le {number} {most}"),
                    (Some(least), Some(most)) if least == most => format!("eq {number} {least}"),
                    (Some(least), Some(most)) => format!("and (ge {number} {least}) (le {number} {most})"),
                }
            }
        }
    }
}

fn literal_of(piece: &Piece) -> Option<&str> {
    match piece {
        Piece::Literal(text) => Some(text.as_str()),
        Piece::Hole(_) => None,
    }
}

fn hole_of(piece: &Piece) -> Option<&Hole> {
    match piece {
        Piece::Literal(_) => None,
        Piece::Hole(hole) => Some(hole),
    }
}

/// What a value stands under.
enum Parent<'a> {
    Key(&'a str),
    Item,
}

impl Parent<'_> {
    fn of(&self, json: Json) -> Json {
        match self {
            Self::Key(key) => Json::Object([((*key).to_owned(), json)].into_iter().collect()),
            Self::Item => Json::Array(vec![json]),
        }
    }
}

/// `key:`
fn key_text(key: &str) -> Result<String, yaml::Error> {
    let key: serde_json::Map<String, Json> = [(key.to_owned(), Json::from(0))].into_iter().collect();
    let text = yaml::to_string(&Json::Object(key))?;
    Ok(escaped(text.trim_end().trim_end_matches(" 0")))
}

/// A knob's value, as a template names it.
fn name(knob: &Knob) -> String {
    let name = &knob.parameter.name;
    // A capital may begin the name of a method, as `Table` is one of Helm's values.
    let is_word = |name: &str| {
        name.starts_with(|first: char| first.is_ascii_lowercase())
            && name
                .chars()
                .all(|character| character.is_ascii_alphanumeric() || character == '_')
    };
    match knob.setting {
        Setting::Registry | Setting::Tag => format!(".Values.{IMAGES}.{name}"),
        Setting::Parameter(_) if is_word(name) => format!(".Values.{name}"),
        Setting::Parameter(_) => format!("(index .Values {})", go_string(name)),
    }
}

/// A text in which nothing begins an action.
fn escaped(text: &str) -> String {
    text.replace("{{", "{{ \"{{\" }}")
}

/// A text as Go writes one.
fn go_string(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            character if character.is_control() => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(character));
            }
            character => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

/// The templates that others include, where one does.
pub fn helpers(templates: &[String]) -> Option<String> {
    let uses = |name: &str| {
        templates
            .iter()
            .any(|text| text.contains(&format!("include \"{name}\"")))
    };
    let mut text = String::new();
    if uses(SECONDS) {
        let _ = write!(
            text,
            r#"{{{{- /* The seconds of a duration such as `1m30s`, rounded up. */}}}}
{{{{- define "{SECONDS}" -}}}}
{{{{- $milliseconds := 0 -}}}}
{{{{- range regexFindAll "[0-9]+(ms|s|m|h|d)" . -1 -}}}}
{{{{- $unit := regexFind "[a-z]+" . -}}}}
{{{{- $times := get (dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000 "d" 86400000) $unit -}}}}
{{{{- $milliseconds = add $milliseconds (mul (atoi (regexFind "[0-9]+" .)) $times) -}}}}
{{{{- end -}}}}
{{{{- div (add $milliseconds 999) 1000 -}}}}
{{{{- end -}}}}
"#
        );
    }
    if uses(LITERAL) {
        let _ = write!(
            text,
            r#"{{{{- /* A text that Kubernetes leaves as it is: it would replace `$(NAME)`, and split what isn't ASCII after a `$`. */}}}}
{{{{- define "{LITERAL}" -}}}}
{{{{- regexReplaceAll "(\\$\\$+)|(\\$)([(]|[^\\x00-\\x7F])" . "${{1}}${{1}}${{2}}${{2}}${{3}}" -}}}}
{{{{- end -}}}}
"#
        );
    }
    (!text.is_empty()).then_some(text)
}
