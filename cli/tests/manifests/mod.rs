//! Ways to write a manifest: what is written there, and what `deploy --tag v3.0.0` or `switch` make of it.

#![allow(dead_code)]

/// As most people write it.
pub const BASIC: &str = "\
apiVersion: bluegreen.dev/v1alpha1
kind: BlueGreenApp
metadata:
  name: hello
spec:
  active: blue
  image: team/hello
  blue:
    tag: v1.0.0
  green:
    tag: v2.0.0
  port: 8888
";

/// One way to write a manifest.
pub struct Case {
    /// What is special.
    pub what: &'static str,
    /// Replaced in [`BASIC`].
    pub writes: &'static [(&'static str, &'static str)],
    /// `switch` instead of `deploy`.
    pub switches: bool,
    /// What the edit replaces.
    pub edits: &'static [(&'static str, &'static str)],
    /// Why it is refused.
    pub refused: Option<&'static str>,
}

impl Case {
    pub fn text(&self) -> String {
        replaced(BASIC, self.writes)
    }

    pub fn expected(&self, text: &str) -> Result<String, String> {
        self.refused.map_or_else(|| Ok(replaced(text, self.edits)), |why| Err(why.to_owned()))
    }
}

fn replaced(text: &str, pairs: &[(&str, &str)]) -> String {
    pairs.iter().fold(text.to_owned(), |text, (old, new)| {
        assert_eq!(text.matches(old).count(), 1, "{old:?} is in {text}");
        text.replacen(old, new, 1)
    })
}

const GREEN: &str = "  green:\n    tag: v2.0.0\n";

const fn deploys(
    what: &'static str,
    writes: &'static [(&'static str, &'static str)],
    edits: &'static [(&'static str, &'static str)],
) -> Case {
    Case { what, writes, switches: false, edits, refused: None }
}

const fn switches(
    what: &'static str,
    writes: &'static [(&'static str, &'static str)],
    edits: &'static [(&'static str, &'static str)],
) -> Case {
    Case { what, writes, switches: true, edits, refused: None }
}

const fn refused(
    what: &'static str,
    writes: &'static [(&'static str, &'static str)],
    why: &'static str,
) -> Case {
    Case { what, writes, switches: false, edits: &[], refused: Some(why) }
}

pub const CASES: &[Case] = &[
    deploys("plain", &[], &[("v2.0.0", "v3.0.0")]),
    switches("plain", &[], &[("active: blue", "active: green")]),
    deploys("double quotes", &[("v2.0.0", "\"v2.0.0\"")], &[("v2.0.0", "v3.0.0")]),
    deploys("single quotes", &[("v2.0.0", "'v2.0.0'  # why")], &[("v2.0.0", "v3.0.0")]),
    switches("quoted color", &[("active: blue", "active: 'blue'")], &[("'blue'", "'green'")]),
    deploys("quoted key", &[("    tag: v2.0.0", "    'tag' : v2.0.0")], &[("v2.0.0", "v3.0.0")]),
    deploys(
        "tabs and letters of other alphabets in comments",
        &[("v2.0.0", "v2.0.0\t#\tü🟦")],
        &[("v2.0.0", "v3.0.0")],
    ),
    deploys(
        "flow block",
        &[(GREEN, "  green: {tag: v2.0.0, env: [{name: A, value: b}]} # x\n")],
        &[("v2.0.0", "v3.0.0")],
    ),
    deploys(
        "flow block without spaces",
        &[(GREEN, "  green: {\"tag\":\"v2.0.0\"}\n")],
        &[("v2.0.0", "v3.0.0")],
    ),
    deploys(
        "flow block on lines",
        &[(GREEN, "  green: {\n    env: [], # none\n    tag: v2.0.0, # now\n  }\n")],
        &[("v2.0.0", "v3.0.0")],
    ),
    deploys(
        "a block without a tag",
        &[(GREEN, "  green:\n    # nothing yet\n    env: []\n")],
        &[("env: []", "tag: v3.0.0\n    env: []")],
    ),
    deploys(
        "a flow block without a tag",
        &[(GREEN, "  green: { env: [] }\n")],
        &[("{ env", "{ tag: v3.0.0, env")],
    ),
    deploys("an empty flow block", &[(GREEN, "  green: {} # soon\n")], &[("{}", "{tag: v3.0.0}")]),
    deploys("null", &[(GREEN, "  green: null # soon\n")], &[("null", "{tag: v3.0.0}")]),
    deploys("tilde", &[(GREEN, "  green: ~\n")], &[("~", "{tag: v3.0.0}")]),
    deploys("no value", &[(GREEN, "  green:\n")], &[("green:", "green: {tag: v3.0.0}")]),
    deploys("no value and a comment", &[(GREEN, "  green: # soon\n")], &[("green:", "green: {tag: v3.0.0}")]),
    deploys(
        "no value, and comments below",
        &[(GREEN, "  green:\n  # about the port\n")],
        &[("green:", "green: {tag: v3.0.0}")],
    ),
    deploys(
        "a tag without a value",
        &[("tag: v2.0.0", "tag: # soon\n    env: []")],
        &[("tag: #", "tag: v3.0.0 #")],
    ),
    deploys("no block", &[(GREEN, "")], &[("tag: v1.0.0\n", "tag: v1.0.0\n  green:\n    tag: v3.0.0\n")]),
    deploys(
        "no block, and comments around the other one",
        &[(GREEN, "  # about the port\n"), ("v1.0.0", "v1.0.0 # old")],
        &[("# old\n", "# old\n  green:\n    tag: v3.0.0\n")],
    ),
    deploys(
        "no block, and a deeper one",
        &[(GREEN, ""), ("  blue:\n    tag", "  blue:\n        tag")],
        &[("v1.0.0\n", "v1.0.0\n  green:\n        tag: v3.0.0\n")],
    ),
    deploys(
        "no block, and a flow block",
        &[(GREEN, ""), ("  blue:\n    tag: v1.0.0\n", "  blue: {tag: v1.0.0} # old\n")],
        &[("# old\n", "# old\n  green: {tag: v3.0.0}\n")],
    ),
    deploys(
        "no block, and the other one ends with a block scalar",
        &[(GREEN, ""), ("v1.0.0\n", "v1.0.0\n    env:\n    - name: A\n      value: |\n        text\n")],
        &[("  active: blue", "  green: {tag: v3.0.0}\n  active: blue")],
    ),
    deploys(
        "a digest",
        &[("v2.0.0\n", "v2.0.0 # the tag\n    digest: sha256:0 # its digest\n    env: []\n")],
        &[("v2.0.0", "v3.0.0"), ("    digest: sha256:0 # its digest\n", "")],
    ),
    deploys(
        "only a digest",
        &[("tag: v2.0.0", "digest: sha256:0 # now")],
        &[("digest: sha256:0", "tag: v3.0.0")],
    ),
    deploys(
        "a digest in flow",
        &[(GREEN, "  green: {digest: 'sha256:0', tag: v2.0.0}\n")],
        &[("digest: 'sha256:0', ", ""), ("v2.0.0", "v3.0.0")],
    ),
    deploys(
        "a digest at the end of flow",
        &[(GREEN, "  green: {tag: v2.0.0, digest: 'sha256:0'}\n")],
        &[(", digest: 'sha256:0'", ""), ("v2.0.0", "v3.0.0")],
    ),
    deploys(
        "only a digest in flow",
        &[(GREEN, "  green: {digest: 'sha256:0'}\n")],
        &[("digest: 'sha256:0'", "tag: v3.0.0")],
    ),
    deploys("an explicit tag", &[("v2.0.0", "!!str v2.0.0")], &[("v2.0.0", "v3.0.0")]),
    deploys("an anchor that nothing repeats", &[("v2.0.0", "&version v2.0.0")], &[("v2.0.0", "v3.0.0")]),
    deploys(
        "an alias elsewhere",
        &[("name: hello\n", "name: &name hello\n  labels: {app: *name}\n")],
        &[("v2.0.0", "v3.0.0")],
    ),
    deploys(
        "document marks",
        &[("apiVersion", "%YAML 1.2\n--- # first\napiVersion"), ("8888\n", "8888\n...\n")],
        &[("v2.0.0", "v3.0.0")],
    ),
    deploys(
        "empty documents",
        &[("apiVersion", "---\n---\n# nothing\n---\napiVersion"), ("8888\n", "8888\n---\n# end\n")],
        &[("v2.0.0", "v3.0.0")],
    ),
    deploys(
        "braces of others",
        &[("8888\n", "8888\n  template: {metadata: {annotations: {a: '{{ .b }}'}}}\n")],
        &[("v2.0.0", "v3.0.0")],
    ),
    deploys("a patch", &[("  image: team/hello\n", ""), ("  port: 8888\n", "")], &[("v2.0.0", "v3.0.0")]),
    switches(
        "a tag that is quoted, and other order",
        &[("  active: blue\n", ""), ("8888\n", "8888\n  active: \"blue\" # last\n")],
        &[("\"blue\"", "\"green\"")],
    ),
    refused(
        "a tag that is a number",
        &[("v2.0.0", "2.0")],
        "spec.green.tag: invalid type: floating point `2.0`, expected a string",
    ),
    refused(
        "an alias as tag",
        &[("v1.0.0", "&version v1.0.1"), ("v2.0.0", "*version")],
        "spec.green.tag is an alias: write the value out",
    ),
    refused(
        "an alias as block",
        &[("blue:\n", "blue: &block\n"), (GREEN, "  green: *block\n")],
        "spec.green is an alias: write its fields out",
    ),
    refused(
        "a shared tag",
        &[
            ("v2.0.0", "&version v2.0.0"),
            ("8888\n", "8888\n  template: {metadata: {labels: {version: *version}}}\n"),
        ],
        "the edit would change what an alias on line 13 repeats, too: write that value out",
    ),
    refused(
        "a merge key",
        &[("tag: v2.0.0", "<<: {env: []}\n    tag: v2.0.0")],
        "spec.green has the merge key `<<`: write its fields out",
    ),
    refused(
        "a key twice",
        &[("tag: v2.0.0", "tag: v2.0.0\n    tag: v2.0.1")],
        "spec.green.tag is there twice: remove one",
    ),
    refused(
        "a tag as a block",
        &[("tag: v2.0.0", "tag: |-\n      v2.0.0")],
        "spec.green.tag is written as a block (`|` or `>`): write it on one line",
    ),
    refused(
        "a Helm value",
        &[("v2.0.0", "\"{{ .Values.tag }}\"")],
        "spec.green is written as a template (`{{`): edit the values that it is made from",
    ),
    refused(
        "a Helm name",
        &[("name: hello", "name: \"{{ .Release.Name }}\"")],
        "metadata.name is written as a template (`{{`): edit the values that it is made from",
    ),
    refused(
        "no active",
        &[("  active: blue\n", "")],
        "spec.active of hello is not set in this file: edit the file that sets it, or set it here first",
    ),
    refused("no spec", &[("spec:\n", "specs:\n")], "hello has no spec in this file"),
    refused(
        "another version of the API",
        &[("v1alpha1", "v2")],
        "the BlueGreenApp is of \"bluegreen.dev/v2\"; this program knows bluegreen.dev/v1alpha1",
    ),
    refused(
        "another kind",
        &[("kind: BlueGreenApp", "kind: Rollout")],
        "there is no BlueGreenApp in this file",
    ),
    refused(
        "the spec twice",
        &[("8888\n", "8888\nspec: {active: blue}\n")],
        "spec is there twice: remove one",
    ),
    // The parsers do not agree on what the key is.
    refused(
        "a key with a question mark",
        &[(GREEN, "  green: {\n  ?tag: v2.0.0\n  }\n")],
        "the file can't be edited without a change of something else (the result differs from the edit that was decided): make \
         the edit by hand, and write these fields as plain `key: value` lines for the next time",
    ),
    refused(
        "a kustomization",
        &[(
            "apiVersion: bluegreen.dev/v1alpha1\nkind: BlueGreenApp",
            "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization",
        )],
        "this is a kustomization: edit the manifest, or the patch file, that sets spec.active",
    ),
];
