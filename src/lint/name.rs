//! Names of tables and other objects, as far as a file alone can tell which are the same.

use std::fmt;

use squawk_syntax::ast::{self, AstNode};
use squawk_syntax::{SyntaxKind, SyntaxNode};

/// The name of an object. `public.users` and `users` are taken for the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Name {
    schema: Option<String>,
    name: String,
}

impl Name {
    /// Returns a name of its parts, without quotes and folded.
    pub(super) fn new(schema: Option<String>, name: String) -> Self {
        Self { schema: schema.filter(|schema| schema != "public" && schema != "main"), name }
    }

    /// Returns the first name in a part of a syntax tree.
    pub(super) fn first(node: &SyntaxNode) -> Option<Self> {
        use SyntaxKind as Kind;
        let is_path = |node: &SyntaxNode| matches!(node.kind(), Kind::PATH | Kind::PATH_REF);
        // What has no schema is no path.
        let is_plain = |node: &SyntaxNode| {
            matches!(node.kind(), Kind::SCHEMA_REF | Kind::EXTENSION_REF | Kind::ROLE_REF)
        };
        let name = node.descendants().find(|node| is_path(node) || is_plain(node))?;
        if is_plain(&name) {
            // Roles have their names one level deeper.
            let name = name.children().next().unwrap_or(name);
            return Some(Self::new(None, ast::normalize_name_node(&name)));
        }
        let mut parts: Vec<String> = name
            .descendants()
            .filter(|node| matches!(node.kind(), Kind::PATH_SEGMENT | Kind::PATH_SEGMENT_REF))
            .map(|node| ast::normalize_name_node(&node))
            .collect();
        let name = parts.pop()?;
        Some(Self::new(parts.pop(), name))
    }

    /// Returns the first name in an optional part of a syntax tree.
    pub(super) fn of<N: AstNode>(node: Option<N>) -> Option<Self> {
        Self::first(node?.syntax())
    }

    /// Returns the name of an object of the same schema.
    pub(super) fn sibling(&self, other: &Self) -> Self {
        Self { schema: self.schema.clone(), name: other.name.clone() }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.schema {
            Some(schema) => write!(f, "{schema}.{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// Returns the first column that is named in a part of a syntax tree.
pub(super) fn column(node: &SyntaxNode) -> Option<String> {
    let is_column =
        |node: &SyntaxNode| matches!(node.kind(), SyntaxKind::COLUMN_NAME | SyntaxKind::COLUMN_NAME_REF);
    node.descendants().find(is_column).map(|node| ast::normalize_name_node(&node))
}
