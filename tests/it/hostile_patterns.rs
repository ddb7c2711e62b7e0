//! Templates, texts and paths that nobody means well with: what the fuzz target `render` looks for, in small.

use motif::fuzzing::render;
use proptest::prelude::*;

#[track_caller]
fn renders(pieces: &[&str]) {
    assert!(render(pieces.join("\n%%%\n").as_bytes()), "{pieces:?}");
}

#[track_caller]
fn is_refused(pieces: &[&str]) {
    assert!(!render(pieces.join("\n%%%\n").as_bytes()), "{pieces:?}");
}

#[test]
fn what_can_be_rendered_is() {
    renders(&["{{ name }} {{ text | json }} {{ g.count }}", "any \"text\"\u{0}"]);
    renders(&["plain", "t", "deep/in/the/project"]);
    renders(&[
        "",
        "",
        "",
        "{ summary: s, version: 1, parameters: { text: { type: string } } }",
    ]);
}

#[test]
fn what_leads_out_of_the_project_is_refused() {
    for path in [
        "../x",
        "/x",
        "a/../../x",
        ".git/config",
        "a\\..\\x",
        "kept.yaml",
        "KEPT.yaml",
        ".motif/answers.yaml",
    ] {
        is_refused(&["a", "t", path]);
    }
}

#[test]
fn what_has_no_end_or_no_bottom_is_refused() {
    is_refused(&[
        &format!("{{{{ {}1{} }}}}", "(".repeat(100_000), ")".repeat(100_000)),
        "t",
    ]);
    is_refused(&[&format!("{{{{ {} text }}}}", "not ".repeat(100_000)), "t"]);
    is_refused(&[&format!("{{{{ {}1 }}}}", "-".repeat(100_000)), "t"]);
    is_refused(&[&"{% if text %}".repeat(10_000), "t"]);
    is_refused(&[
        &format!("{}{}", "{% if text %}".repeat(1000), "{% endif %}".repeat(1000)),
        "t",
    ]);
    is_refused(&["{% include 'a' %}", "t"]);
    is_refused(&[
        "{% for a in range(end=1000) %}{% for b in range(end=1000) %}123456789{% endfor %}{% endfor %}",
        "t",
    ]);
    is_refused(&[&"a".repeat(600_000), "t"]);
    is_refused(&["a", "t", "x", &"[".repeat(100_000)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn anything_is_rendered_or_refused(
        template in r#"(\{\{|\}\}|\{%-?|-?%\}|\{#|#\}| |\n|[a-z0-9|.,:~=<>!+*/()\[\]"'-]|text|g\.count|name| if | for | in | set |end|include|raw| \| json| \| yaml|é|\\){0,60}"#,
        text in any::<String>(),
        path in r"[a-zA-Z./]{0,8}",
    ) {
        render(format!("{template}\n%%%\n{text}\n%%%\n{path}").as_bytes());
    }
}
