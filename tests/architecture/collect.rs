//! Reads the facts of one file from its syntax tree.

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Attribute, Expr, Item, Meta, UseTree, Visibility,
    parse::Parser as _,
    punctuated::Punctuated,
    spanned::Spanned,
    visit::{self, Visit},
};

use crate::sources::{Def, How, Literal, Reference, Source};

struct Collector {
    out: Source,
    /// The module at this place.
    module: String,
    /// Blocks round this place.
    blocks: usize,
    /// Lines of tests.
    test_lines: usize,
    /// Inside of a pattern, or of what compares.
    deciding: bool,
    /// Inside of the argument of what looks into a text.
    seeking: bool,
}

/// Methods whose argument is compared with a text.
const COMPARES: [&str; 20] = [
    "starts_with",
    "ends_with",
    "strip_prefix",
    "strip_suffix",
    "trim_matches",
    "trim_start_matches",
    "trim_end_matches",
    "contains",
    "split",
    "rsplit",
    "splitn",
    "rsplitn",
    "split_once",
    "rsplit_once",
    "split_terminator",
    "split_inclusive",
    "find",
    "rfind",
    "matches",
    "match_indices",
];
/// Methods that compare both of their sides as a whole.
const EQUALS: [&str; 3] = ["eq", "ne", "eq_ignore_ascii_case"];

pub(crate) fn collect(path: &str, text: &str, module: &str) -> Source {
    let file = syn::parse_file(text).unwrap_or_else(|e| panic!("src/{path}: {e}"));
    let out = Source {
        path: path.to_owned(),
        text: text.to_owned(),
        module: module.to_owned(),
        ..Source::default()
    };
    let mut collector = Collector {
        out,
        module: module.to_owned(),
        blocks: 0,
        test_lines: 0,
        deciding: false,
        seeking: false,
    };
    collector.out.scopes.entry(module.to_owned()).or_default();
    collector.visit_file(&file);
    collector.out.code_lines = text.lines().count().saturating_sub(collector.test_lines);
    collector.out
}

/// Is it for tests only: `#[test]`, `#[cfg(test)]`, `#[cfg(all(test, …))]`?
pub(crate) fn for_tests(attrs: &[Attribute]) -> bool {
    fn names_test(tokens: TokenStream) -> bool {
        let mut negated = false;
        tokens.into_iter().any(|token| match token {
            TokenTree::Ident(word) if word == "not" => {
                negated = true;
                false
            }
            TokenTree::Ident(word) => word == "test",
            TokenTree::Group(group) => !std::mem::take(&mut negated) && names_test(group.stream()),
            _ => false,
        })
    }
    attrs.iter().any(|a| match &a.meta {
        Meta::Path(path) => path.is_ident("test"),
        Meta::List(list) => list.path.is_ident("cfg") && names_test(list.tokens.clone()),
        Meta::NameValue(_) => false,
    })
}

pub(crate) fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(i) => &i.attrs,
        Item::Enum(i) => &i.attrs,
        Item::Fn(i) => &i.attrs,
        Item::Impl(i) => &i.attrs,
        Item::Macro(i) => &i.attrs,
        Item::Mod(i) => &i.attrs,
        Item::Static(i) => &i.attrs,
        Item::Struct(i) => &i.attrs,
        Item::Trait(i) => &i.attrs,
        Item::Type(i) => &i.attrs,
        Item::Union(i) => &i.attrs,
        Item::Use(i) => &i.attrs,
        _ => &[],
    }
}

fn child(module: &str, name: &str) -> String {
    if module.is_empty() { name.to_owned() } else { format!("{module}::{name}") }
}

fn starts_lower(name: &str) -> bool {
    name.chars().next().is_some_and(|c| c.is_lowercase() || c == '_')
}

/// Is what a call gives made of its arguments: `Some(…)`, `String::from(…)`? Elsewhere they only say what is asked for.
fn is_made_of(function: &Expr) -> bool {
    let Expr::Path(function) = function else { return false };
    let of = function.path.segments.iter().rev().take(2);
    of.map(|s| s.ident.to_string()).any(|name| !starts_lower(&name))
}

fn segments(path: &syn::Path) -> Vec<String> {
    let leading = path.leading_colon.map(|_| String::new());
    leading.into_iter().chain(path.segments.iter().map(|s| s.ident.to_string())).collect()
}

/// A path of a `use`, the name it gets, and whether all below is imported.
struct Imported {
    path: Vec<String>,
    name: String,
    glob: bool,
}

fn flatten(tree: &UseTree, before: &[String], out: &mut Vec<Imported>) {
    let with = |name: &syn::Ident| {
        let mut path = before.to_vec();
        if name != "self" || before.is_empty() {
            path.push(name.to_string());
        }
        path
    };
    match tree {
        UseTree::Path(p) => flatten(&p.tree, &with(&p.ident), out),
        UseTree::Name(n) => {
            let path = with(&n.ident);
            let name = path.last().cloned().unwrap_or_default();
            out.push(Imported { path, name, glob: false });
        }
        UseTree::Rename(r) => {
            out.push(Imported { path: with(&r.ident), name: r.rename.to_string(), glob: false });
        }
        UseTree::Glob(_) => out.push(Imported { path: before.to_vec(), name: String::new(), glob: true }),
        UseTree::Group(g) => g.items.iter().for_each(|t| flatten(t, before, out)),
    }
}

impl Collector {
    fn define(&mut self, name: &str, def: Def) {
        let scope = self.out.scopes.entry(self.module.clone()).or_default();
        scope.names.entry(name.to_owned()).or_default().push(def);
    }

    fn refer(&mut self, path: Vec<String>, how: How) {
        self.out.references.push(Reference { module: self.module.clone(), path, how });
    }

    /// Notes what an item defines, if it stands in a module.
    fn note(&mut self, item: &Item) {
        let (name, vis, is_type) = match item {
            Item::Const(i) => (&i.ident, &i.vis, false),
            Item::Static(i) => (&i.ident, &i.vis, false),
            Item::Fn(i) => (&i.sig.ident, &i.vis, false),
            Item::Enum(i) => (&i.ident, &i.vis, true),
            Item::Struct(i) => (&i.ident, &i.vis, true),
            Item::Trait(i) => (&i.ident, &i.vis, true),
            Item::Type(i) => (&i.ident, &i.vis, true),
            Item::Union(i) => (&i.ident, &i.vis, true),
            _ => return,
        };
        self.define(&name.to_string(), Def::Item(is_type));
        if is_type && !matches!(vis, Visibility::Inherited) {
            self.out.types.push((name.to_string(), name.span().start().line));
        }
    }

    fn function(&mut self, vis: &Visibility, name: &syn::Ident) {
        if !matches!(vis, Visibility::Inherited) {
            self.out.functions.push((name.to_string(), name.span().start().line));
        }
    }

    /// Paths and, outside attributes, literals in tokens that are no syntax yet.
    fn scan(&mut self, tokens: TokenStream, attribute: bool) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let colons = |at: usize| {
            let colon = |i: usize| matches!(tokens.get(i), Some(TokenTree::Punct(p)) if p.as_char() == ':');
            colon(at) && colon(at + 1)
        };
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            match token {
                TokenTree::Group(group) => self.scan(group.stream(), attribute),
                TokenTree::Literal(literal) => {
                    if let Ok(text) = syn::parse_str::<syn::LitStr>(&literal.to_string()) {
                        if !attribute {
                            self.literal(text.value(), literal.span().start().line, false);
                        } else if text.value().contains("::")
                            && let Ok(path) = syn::parse_str::<syn::Path>(&text.value())
                        {
                            self.refer(segments(&path), How::Inline);
                        }
                    }
                }
                TokenTree::Ident(first) => {
                    let mut path = vec![first.to_string()];
                    let start = at;
                    while colons(at + 1) {
                        let Some(TokenTree::Ident(next)) = tokens.get(at + 3) else { break };
                        path.push(next.to_string());
                        at += 3;
                    }
                    let member = start > 0
                        && matches!(tokens.get(start - 1), Some(TokenTree::Punct(p)) if p.as_char() == '.');
                    let called = matches!(tokens.get(at + 1), Some(TokenTree::Group(_)));
                    let single = path.len() == 1 && starts_lower(&path.concat());
                    if !member && (!single || (called && !attribute)) {
                        self.refer(path, How::Inline);
                    }
                }
                TokenTree::Punct(_) => {}
            }
            at += 1;
        }
    }

    /// What stands in a macro's brackets as in those of a call.
    fn arguments(&mut self, arguments: impl IntoIterator<Item = Expr>) {
        for argument in arguments {
            // `name = value`: the name is none of ours.
            match &argument {
                Expr::Assign(named) => self.visit_expr(&named.right),
                other => self.visit_expr(other),
            }
        }
    }

    fn deciding(&mut self, decides: bool, look: impl FnOnce(&mut Self)) {
        let before = std::mem::replace(&mut self.deciding, decides);
        look(self);
        self.deciding = before;
    }

    fn literal(&mut self, text: String, line: usize, included: bool) {
        self.out.literals.push(Literal {
            text,
            line,
            included,
            decides: self.deciding,
            sought: self.seeking,
        });
    }
}

impl<'ast> Visit<'ast> for Collector {
    fn visit_item(&mut self, item: &'ast Item) {
        if for_tests(attributes(item)) {
            let span = item.span();
            self.test_lines += span.end().line + 1 - span.start().line;
            if let Item::Mod(module) = item {
                self.out.test_modules.push(child(&self.module, &module.ident.to_string()));
            }
            return;
        }
        if self.blocks == 0 {
            self.note(item);
        }
        match item {
            Item::Fn(i) => self.function(&i.vis, &i.sig.ident),
            // A trait's methods are seen as it is.
            Item::Trait(i) => i.items.iter().for_each(|inner| {
                if let syn::TraitItem::Fn(f) = inner {
                    self.function(&i.vis, &f.sig.ident);
                }
            }),
            _ => {}
        }
        visit::visit_item(self, item);
    }

    fn visit_impl_item(&mut self, item: &'ast syn::ImplItem) {
        let attrs: &[Attribute] = match item {
            syn::ImplItem::Fn(i) => &i.attrs,
            syn::ImplItem::Const(i) => &i.attrs,
            _ => &[],
        };
        if for_tests(attrs) {
            return;
        }
        if let syn::ImplItem::Fn(i) = item {
            self.function(&i.vis, &i.sig.ident);
        }
        visit::visit_impl_item(self, item);
    }

    fn visit_signature(&mut self, signature: &'ast syn::Signature) {
        let name = &signature.ident;
        self.out.all_functions.push((name.to_string(), name.span().start().line));
        visit::visit_signature(self, signature);
    }

    fn visit_stmt(&mut self, stmt: &'ast syn::Stmt) {
        let attrs: &[Attribute] = match stmt {
            syn::Stmt::Local(s) => &s.attrs,
            syn::Stmt::Macro(s) => &s.attrs,
            _ => &[],
        };
        if !for_tests(attrs) {
            visit::visit_stmt(self, stmt);
        }
    }

    fn visit_block(&mut self, block: &'ast syn::Block) {
        self.blocks += 1;
        visit::visit_block(self, block);
        self.blocks -= 1;
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let module = child(&self.module, &item.ident.to_string());
        self.define(&item.ident.to_string(), Def::Module(module.clone()));
        let Some((_, items)) = &item.content else {
            let named = item.attrs.iter().find_map(|a| match &a.meta {
                Meta::NameValue(v) if v.path.is_ident("path") => match &v.value {
                    Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value()),
                    _ => None,
                },
                _ => None,
            });
            self.out.declared.push((module, named));
            return;
        };
        let outer = std::mem::replace(&mut self.module, module.clone());
        self.out.scopes.entry(module).or_default();
        for item in items {
            self.visit_item(item);
        }
        self.module = outer;
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let before: Vec<String> = item.leading_colon.map(|_| String::new()).into_iter().collect();
        let mut imported = Vec::new();
        flatten(&item.tree, &before, &mut imported);
        let how = if matches!(item.vis, Visibility::Inherited) { How::Import } else { How::Reexport };
        for import in imported {
            self.refer(import.path.clone(), how);
            if import.glob {
                self.out.scopes.entry(self.module.clone()).or_default().globs.push(import.path);
            } else if import.name != "_" {
                self.define(&import.name, Def::Use(import.path));
            }
        }
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        if let Some((path, _)) = &item.trait_ {
            self.out.impls.extend(path.segments.last().map(|s| s.ident.to_string()));
        }
        visit::visit_item_impl(self, item);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.refer(segments(path), How::Inline);
        visit::visit_path(self, path);
    }

    fn visit_expr_path(&mut self, expr: &'ast syn::ExprPath) {
        // A single small name is a variable, unless it is called.
        if expr.qself.is_none() && expr.path.get_ident().is_some_and(|i| starts_lower(&i.to_string())) {
            return;
        }
        visit::visit_expr_path(self, expr);
    }

    fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
        if let Expr::Path(function) = &*call.func
            && let Some(name) = function.path.get_ident()
            && starts_lower(&name.to_string())
        {
            self.refer(vec![name.to_string()], How::Inline);
        }
        self.visit_expr(&call.func);
        let makes = self.deciding && is_made_of(&call.func);
        self.deciding(makes, |c| call.args.iter().for_each(|a| c.visit_expr(a)));
    }

    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {}

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if let Meta::List(list) = &attribute.meta {
            self.scan(list.tokens.clone(), true);
        }
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        let name = call.path.segments.last().map(|s| s.ident.to_string()).unwrap_or_default();
        if call.path.segments.len() > 1 {
            self.refer(segments(&call.path), How::Inline);
        }
        let line = call.path.span().start().line;
        if name == "include_str" {
            if let Ok(text) = syn::parse2::<syn::LitStr>(call.tokens.clone()) {
                self.literal(text.value(), line, true);
            }
        } else {
            let decides = name == "matches" || (self.deciding && name == "vec");
            let arguments = Punctuated::<Expr, syn::Token![,]>::parse_terminated;
            self.deciding(decides, |c| match arguments.parse2(call.tokens.clone()) {
                // The patterns of `matches` only look like expressions.
                Ok(arguments) if !decides || name == "vec" => c.arguments(arguments),
                _ => c.scan(call.tokens.clone(), false),
            });
        }
        self.out.macros.push((name, line));
    }

    fn visit_lit_str(&mut self, text: &'ast syn::LitStr) {
        self.literal(text.value(), text.span().start().line, false);
    }

    fn visit_pat(&mut self, pattern: &'ast syn::Pat) {
        self.deciding(true, |c| visit::visit_pat(c, pattern));
    }

    fn visit_expr_binary(&mut self, expr: &'ast syn::ExprBinary) {
        let compares = matches!(expr.op, syn::BinOp::Eq(_) | syn::BinOp::Ne(_));
        for side in [&*expr.left, &*expr.right] {
            self.deciding(compares || self.deciding, |c| c.visit_expr(side));
        }
    }

    fn visit_expr_index(&mut self, index: &'ast syn::ExprIndex) {
        self.visit_expr(&index.expr);
        self.deciding(false, |c| c.visit_expr(&index.index));
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        let equals = EQUALS.iter().any(|name| call.method == name);
        let of_words = equals || call.method == "contains";
        self.deciding(of_words || self.deciding, |c| c.visit_expr(&call.receiver));
        let compares = equals || COMPARES.iter().any(|name| call.method == name);
        for argument in &call.args {
            let literal = match argument {
                Expr::Reference(inner) => matches!(*inner.expr, Expr::Lit(_)),
                other => matches!(other, Expr::Lit(_)),
            };
            self.seeking = compares && literal && !equals;
            let closure = matches!(argument, Expr::Closure(_));
            self.deciding(compares && !closure, |c| c.visit_expr(argument));
            self.seeking = false;
        }
        if let Some(generics) = &call.turbofish {
            self.visit_angle_bracketed_generic_arguments(generics);
        }
    }
}
