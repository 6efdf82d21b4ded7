package xmltext_test

import (
	"errors"
	"strings"
	"testing"

	"sceau/xmlsec/xmltext"
)

// mark stands in the texts below where the refusal is to point at; it is taken out
// before the text is parsed.
const mark = "¦"

type refusal struct {
	name   string
	text   string
	reason xmltext.Reason
}

// refusals holds every way to be ill-formed or outside the profile. The names in
// front of a colon are those of attacks.md. Parse must answer with this reason, at
// this byte.
var refusals = []refusal{
	// Section 3: what lenient readers let in.
	{"D4: duplicate attribute", `<a b="1" ¦b="2"/>`, xmltext.DuplicateAttribute},
	{"D4: duplicate attribute, three", `<a b="1" c="" ¦b="1"/>`, xmltext.DuplicateAttribute},
	{"D4: duplicate attribute through two prefixes", `<a xmlns:x="u:u" xmlns:y="u:u" x:b="1" ¦y:b="2"/>`, xmltext.DuplicateAttribute},
	{"D4: two prefixes, the second declared after", `<a x:b="1" ¦y:b="2" xmlns:x="u:u" xmlns:y="u:u"/>`, xmltext.DuplicateAttribute},
	{"D4: two prefixes, one inherited", `<r xmlns:x="u:u"><a xmlns:y="u:u" x:b="1" ¦y:b="2"/></r>`, xmltext.DuplicateAttribute},
	{"D4: two prefixes, names equal after normalization", `<a xmlns:x="u:u&#x61;" xmlns:y="u:ua" x:b="1" ¦y:b="2"/>`, xmltext.DuplicateAttribute},
	{"D4: prefix declared twice", `<a xmlns:x="u:1" ¦xmlns:x="u:2"/>`, xmltext.DuplicateAttribute},
	{"D4: default declared twice", `<a xmlns="u:1" ¦xmlns="u:1"/>`, xmltext.DuplicateAttribute},
	{"D4: xml prefix declared twice", `<a xmlns:xml="http://www.w3.org/XML/1998/namespace" ¦xmlns:xml="http://www.w3.org/XML/1998/namespace"/>`, xmltext.DuplicateAttribute},
	{"undeclared prefix on an element", `<¦p:a/>`, xmltext.UndeclaredPrefix},
	{"undeclared prefix on an attribute", `<a ¦p:b=""/>`, xmltext.UndeclaredPrefix},
	{"undeclared prefix, declared by a sibling", `<r><a xmlns:p="u:u"/><¦p:b/></r>`, xmltext.UndeclaredPrefix},
	{"undeclared prefix, declared inside", `<r><¦p:b><a xmlns:p="u:u"/></p:b></r>`, xmltext.UndeclaredPrefix},
	{"undeclared prefix after self-closing declaration", `<r><p:a xmlns:p="u:u"/><a ¦p:x=""/></r>`, xmltext.UndeclaredPrefix},
	{"undeclared prefix named by another case", `<a xmlns:p="u:u"><¦P:b/></a>`, xmltext.UndeclaredPrefix},
	{"two root elements", `<a/>¦<b/>`, xmltext.SecondRoot},
	{"two root elements, the first with an end tag", `<a></a> <!-- --> ¦<a></a>`, xmltext.SecondRoot},
	{"text before the root", `¦x<a/>`, xmltext.ContentOutsideRoot},
	{"text after the root", "<a/>\n¦x", xmltext.ContentOutsideRoot},
	{"reference after the root", `<a/>¦&#32;`, xmltext.ContentOutsideRoot},
	{"byte order mark after the root", "<a/>¦\uFEFF", xmltext.ContentOutsideRoot},
	{"non-breaking space after the root", "<a/>¦\u00A0", xmltext.ContentOutsideRoot},
	{"D9: zero byte after the root", "<a/>¦\x00", xmltext.ContentOutsideRoot},
	{"D9: MIME part", "¦--uuid:1\r\nContent-Type: application/xop+xml\r\n\r\n<a/>", xmltext.ContentOutsideRoot},
	{"CDATA before the root", `¦<![CDATA[x]]><a/>`, xmltext.BadCDATA},
	{"CDATA after the root", `<a/>¦<![CDATA[ ]]>`, xmltext.BadCDATA},
	{"declaration in mid-document", `<a>¦<?xml version="1.0"?></a>`, xmltext.BadDeclaration},
	{"declaration after a space", ` ¦<?xml version="1.0"?><a/>`, xmltext.BadDeclaration},
	{"declaration after a comment", `<!-- -->¦<?xml version="1.0"?><a/>`, xmltext.BadDeclaration},
	{"declaration after the root", `<a/>¦<?xml version="1.0"?>`, xmltext.BadDeclaration},
	{"declaration twice", `<?xml version="1.0"?>¦<?xml version="1.0"?><a/>`, xmltext.BadDeclaration},
	{"xml rebound", `<a ¦xmlns:xml="u:u"/>`, xmltext.ReservedPrefix},
	{"xml undeclared", `<a ¦xmlns:xml=""/>`, xmltext.ReservedPrefix},
	{"xml name on another prefix", `<a ¦xmlns:p="http://www.w3.org/XML/1998/namespace"/>`, xmltext.ReservedPrefix},
	{"xml name as default", `<a ¦xmlns="http://www.w3.org/XML/1998/namespace"/>`, xmltext.ReservedPrefix},
	{"xml name written with a reference", `<a ¦xmlns:p="http://www.w3.org/XML/1998/n&#97;mespace"/>`, xmltext.ReservedPrefix},
	{"xmlns declared", `<a ¦xmlns:xmlns="u:u"/>`, xmltext.ReservedPrefix},
	{"xmlns declared to its own name", `<a ¦xmlns:xmlns="http://www.w3.org/2000/xmlns/"/>`, xmltext.ReservedPrefix},
	{"xmlns name on another prefix", `<a ¦xmlns:p="http://www.w3.org/2000/xmlns/"/>`, xmltext.ReservedPrefix},
	{"xmlns name as default", `<a ¦xmlns="http://www.w3.org/2000/xmlns/"/>`, xmltext.ReservedPrefix},
	{"xmlns as an element's prefix", `<¦xmlns:a/>`, xmltext.ReservedPrefix},
	{"prefix declared empty", `<a ¦xmlns:p=""/>`, xmltext.EmptyPrefixDeclaration},
	{"surrogate reference, high", `<a>¦&#xD800;</a>`, xmltext.BadCharacter},
	{"surrogate reference, low", `<a>¦&#xDFFF;</a>`, xmltext.BadCharacter},
	{"surrogate pair of references", `<a>¦&#xD83D;&#xDE00;</a>`, xmltext.BadCharacter},
	{"no space between attributes", `<a b=""¦c=""/>`, xmltext.MissingSpace},
	{"no space between attributes, declaration", `<a b=""¦xmlns="u:u"/>`, xmltext.MissingSpace},
	{"no space between attributes, letter beyond ASCII", `<a b=""¦é=""/>`, xmltext.MissingSpace},

	// D5: namespace confusion.
	{"D5: two ids by two prefixes and none", `<a xmlns="u:u" xmlns:x="u:u" x:ID="1" ID="2" ¦ID="3"/>`, xmltext.DuplicateAttribute},
	{"D5: attribute pollution", `<a xmlns:x="u:u" xmlns:y="u:u" x:ID="i" ¦y:ID="i" ID="j"/>`, xmltext.DuplicateAttribute},

	// D7: encodings.
	{"D7: UTF-16 big-endian mark", "¦\xFE\xFF\x00<\x00a\x00/\x00>", xmltext.WrongEncoding},
	{"D7: UTF-16 little-endian mark", "¦\xFF\xFE<\x00a\x00/\x00>\x00", xmltext.WrongEncoding},
	{"D7: UTF-16 big-endian, no mark", "¦\x00<\x00a\x00/\x00>", xmltext.WrongEncoding},
	{"D7: UTF-16 little-endian, no mark", "¦<\x00a\x00/\x00>\x00", xmltext.WrongEncoding},
	{"D7: UTF-32 little-endian mark", "¦\xFF\xFE\x00\x00<\x00\x00\x00", xmltext.WrongEncoding},
	{"D7: UTF-32 big-endian mark", "¦\x00\x00\xFE\xFF", xmltext.WrongEncoding},
	{"D7: ISO-8859-1 declared", `<?xml version="1.0" ¦encoding="ISO-8859-1"?><a/>`, xmltext.WrongEncoding},
	{"D7: UTF-16 declared", `<?xml version="1.0" ¦encoding='UTF-16'?><a/>`, xmltext.WrongEncoding},
	{"D7: UTF-7 declared", `<?xml version="1.0" ¦encoding="UTF-7"?>+ADw-a/+AD4-`, xmltext.WrongEncoding},
	{"D7: UTF8 declared", `<?xml version="1.0" ¦encoding="UTF8"?><a/>`, xmltext.WrongEncoding},
	{"D7: US-ASCII declared", `<?xml version="1.0" ¦encoding="us-ascii"?><a/>`, xmltext.WrongEncoding},
	{"D7: EBCDIC", "¦\x4C\x6F\xA7\x94\x93", xmltext.ContentOutsideRoot},
	{"D7: UTF-7 undeclared", `¦+ADw-a/+AD4-`, xmltext.ContentOutsideRoot},
	{"D7: two byte order marks", "\uFEFF¦\uFEFF<a/>", xmltext.ContentOutsideRoot},
	{"D7: half a byte order mark", "¦\xEF\xBB<a/>", xmltext.ContentOutsideRoot},
	{"D7: XML 1.1", `¦<?xml version="1.1"?><a/>`, xmltext.BadDeclaration},
	{"D7: XML 2.0", `¦<?xml version="2.0"?><a/>`, xmltext.BadDeclaration},
	{"D7: overlong slash", "<a>¦\xC0\xAF</a>", xmltext.BadUTF8},
	{"D7: overlong less-than", "<a>¦\xC0\xBCb/></a>", xmltext.BadUTF8},
	{"D7: overlong zero", "<a>¦\xC0\x80</a>", xmltext.BadUTF8},
	{"D7: overlong, three bytes", "<a>12345678¦\xE0\x80\xAF</a>", xmltext.BadUTF8},
	{"D7: surrogate in UTF-8", "<a>¦\xED\xA0\x80</a>", xmltext.BadUTF8},
	{"D7: CESU-8 pair", "<a>¦\xED\xA0\xBD\xED\xB8\x80</a>", xmltext.BadUTF8},
	{"D7: beyond Unicode", "<a>¦\xF4\x90\x80\x80</a>", xmltext.BadUTF8},
	{"D7: five bytes", "<a>¦\xF8\x88\x80\x80\x80</a>", xmltext.BadUTF8},
	{"D7: stray continuation", "<a>é¦\x80</a>", xmltext.BadUTF8},
	{"D7: cut sequence before markup", "<a>¦\xC3</a>", xmltext.BadUTF8},
	{"D7: cut sequence at the end", "<a>¦\xE2\x82", xmltext.BadUTF8},
	{"D7: ISO-8859-1 byte in a value", "<a b=\"¦\xE9\"/>", xmltext.BadUTF8},
	{"D7: ISO-8859-1 byte in an element name", "<¦\xE9/>", xmltext.BadUTF8},
	{"D7: ISO-8859-1 byte in an attribute name", "<a b¦\xE9=''/>", xmltext.BadUTF8},
	{"D7: ISO-8859-1 byte in a comment", "<a><!-- ¦\xE9 --></a>", xmltext.BadUTF8},
	{"D7: ISO-8859-1 byte in a comment before the root", "<!-- ¦\xE9 --><a/>", xmltext.BadUTF8},
	{"D7: ISO-8859-1 byte in CDATA", "<a><![CDATA[¦\xE9]]></a>", xmltext.BadUTF8},
	{"D7: ISO-8859-1 byte as an attribute", "<a b=''¦\xE9=''/>", xmltext.MissingSpace},

	// Characters.
	{"zero byte in text", "<a>¦\x00</a>", xmltext.BadCharacter},
	{"zero byte as reference", `<a>¦&#0;</a>`, xmltext.BadCharacter},
	{"zero byte as reference, hexadecimal", `<a>¦&#x0000;</a>`, xmltext.BadCharacter},
	{"control in text", "<a>1234567¦\x01</a>", xmltext.BadCharacter},
	{"control in text, after eight", "<a>12345678¦\x1F</a>", xmltext.BadCharacter},
	{"vertical tab", "<a>¦\v</a>", xmltext.BadCharacter},
	{"form feed in a tag", "<a¦\f/>", xmltext.BadStartTag},
	{"control in a value", "<a b='¦\x08'/>", xmltext.BadCharacter},
	{"control in a comment", "<a><!-- ¦\x01 --></a>", xmltext.BadCharacter},
	{"control in CDATA", "<a><![CDATA[¦\x01]]></a>", xmltext.BadCharacter},
	{"control as reference", `<a>¦&#8;</a>`, xmltext.BadCharacter},
	{"control as reference in a value", `<a b="¦&#x1F;"/>`, xmltext.BadCharacter},
	{"U+FFFE", "<a>¦\uFFFE</a>", xmltext.BadCharacter},
	{"U+FFFF", "<a b='¦\uFFFF'/>", xmltext.BadCharacter},
	{"U+FFFE as reference", `<a>¦&#xFFFE;</a>`, xmltext.BadCharacter},
	{"beyond Unicode as reference", `<a>¦&#x110000;</a>`, xmltext.BadCharacter},
	{"far beyond Unicode as reference", `<a>¦&#99999999999999999999;</a>`, xmltext.BadCharacter},
	{"2^32 + A as reference", `<a>¦&#4294967361;</a>`, xmltext.BadCharacter},
	{"2^32 + A as reference, hexadecimal", `<a>¦&#x100000041;</a>`, xmltext.BadCharacter},

	// The declaration.
	{"declaration without version", `¦<?xml encoding="UTF-8"?><a/>`, xmltext.BadDeclaration},
	{"declaration without anything", `¦<?xml ?><a/>`, xmltext.BadDeclaration},
	{"declaration without a space", `¦<?xml?><a/>`, xmltext.BadDeclaration},
	{"declaration out of order", `¦<?xml version="1.0" standalone="yes" encoding="UTF-8"?><a/>`, xmltext.BadDeclaration},
	{"declaration with version twice", `¦<?xml version="1.0" version="1.0"?><a/>`, xmltext.BadDeclaration},
	{"declaration without space between", `¦<?xml version="1.0"encoding="UTF-8"?><a/>`, xmltext.BadDeclaration},
	{"declaration with an unknown word", `¦<?xml version="1.0" mode="x"?><a/>`, xmltext.BadDeclaration},
	{"declaration: standalone maybe", `¦<?xml version="1.0" standalone="maybe"?><a/>`, xmltext.BadDeclaration},
	{"declaration: empty encoding", `¦<?xml version="1.0" encoding=""?><a/>`, xmltext.BadDeclaration},
	{"declaration: quotes differ", `¦<?xml version="1.0'?><a/>`, xmltext.BadDeclaration},
	{"declaration: no quotes", `¦<?xml version=1.0?><a/>`, xmltext.BadDeclaration},
	{"declaration without an end", `¦<?xml version="1.0" `, xmltext.BadDeclaration},
	{"declaration closed by >", `¦<?xml version="1.0"><a/>`, xmltext.BadDeclaration},

	// Z1, D8: DTD, instructions, entities.
	{"Z1: document type", `¦<!DOCTYPE a><a/>`, xmltext.DoctypeRefused},
	{"Z1: document type after a declaration", `<?xml version="1.0"?>¦<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>`, xmltext.DoctypeRefused},
	{"Z1: billion laughs", `¦<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;">]><a>&lol2;</a>`, xmltext.DoctypeRefused},
	{"Z1: parameter entity", `¦<!DOCTYPE a [<!ENTITY % p SYSTEM "http://127.0.0.1/x.dtd">%p;]><a/>`, xmltext.DoctypeRefused},
	{"Z1: document type inside", `<a>¦<!DOCTYPE a></a>`, xmltext.DoctypeRefused},
	{"Z1: document type after the root", `<a/>¦<!DOCTYPE a>`, xmltext.DoctypeRefused},
	{"Z1: lower case", `¦<!doctype a><a/>`, xmltext.BadMarkup},
	{"Z1: element declaration", `<a>¦<!ELEMENT a ANY></a>`, xmltext.BadMarkup},
	{"D8: entity", `<a>¦&lol;</a>`, xmltext.UnknownEntity},
	{"D8: entity in a value", `<a b="¦&nbsp;"/>`, xmltext.UnknownEntity},
	{"D8: entity in another case", `<a>¦&AMP;</a>`, xmltext.UnknownEntity},
	{"D8: parameter entity reference is text, entity is not", `<a>%p;¦&p;</a>`, xmltext.UnknownEntity},
	{"D8: instruction", `<a>¦<?php x?></a>`, xmltext.InstructionRefused},
	{"D8: instruction before the root", `¦<?xml-stylesheet href="x"?><a/>`, xmltext.InstructionRefused},
	{"D8: instruction after the root", `<a/>¦<?x?>`, xmltext.InstructionRefused},
	{"D8: XML in capitals", `¦<?XML version="1.0"?><a/>`, xmltext.InstructionRefused},
	{"D8: instruction cuts a value", `<a>79¦<??>121312345</a>`, xmltext.InstructionRefused},

	// Markup.
	{"marked section", `<a>¦<![INCLUDE[x]]></a>`, xmltext.BadMarkup},
	{"CDATA in another case", `<a>¦<![cdata[x]]></a>`, xmltext.BadMarkup},
	{"bang alone", `<a>¦<!></a>`, xmltext.BadMarkup},
	{"half a comment opening", `<a>¦<!- x --></a>`, xmltext.BadMarkup},
	{"roundtrip directive", `<a>¦<! <<!-- -->!-- x --> y></a>`, xmltext.BadMarkup},
	{"comment with dashes", `<a><!-- x ¦-- y --></a>`, xmltext.BadComment},
	{"comment ends with three dashes", `<a><!-- x ¦---></a>`, xmltext.BadComment},
	{"comment without an end", `<a>¦<!-- x -> </a>`, xmltext.BadComment},
	{"comment closed at once", `<a>¦<!--></a>`, xmltext.BadComment},
	{"comment closed at once, three dashes", `<a>¦<!---></a>`, xmltext.BadComment},
	{"CDATA without an end", `<a>¦<![CDATA[ x ]] > </a>`, xmltext.BadCDATA},
	{"CDATA end in text", `<a>x¦]]>y</a>`, xmltext.CDATAEndInText},
	{"CDATA end in text, more brackets", `<a>]]]¦]]></a>`, xmltext.CDATAEndInText},
	{"CDATA end in text at eight", `<a>123456¦]]>90</a>`, xmltext.CDATAEndInText},
	{"CDATA end after CDATA", `<a><![CDATA[x]]>¦]]></a>`, xmltext.CDATAEndInText},

	// Names.
	{"name begins with a digit", `<¦1a/>`, xmltext.BadName},
	{"name begins with a dash", `<¦-a/>`, xmltext.BadName},
	{"name begins with a point", `<a ¦.b=""/>`, xmltext.BadName},
	{"name begins with a combining mark", "<¦\u0301a/>", xmltext.BadName},
	{"name with a multiplication sign", "<a¦×/>", xmltext.BadName},
	{"name with a Greek question mark", "<a¦\u037E/>", xmltext.BadName},
	{"local name begins with a digit", `<a xmlns:p="u:u" p:¦1=""/>`, xmltext.BadName},
	{"empty name", `<¦ a/>`, xmltext.BadName},
	{"empty name, closed", `<¦>`, xmltext.BadName},
	{"colon alone", `<¦:/>`, xmltext.BadName},
	{"leading colon", `<¦:a/>`, xmltext.BadName},
	{"trailing colon", `<a:¦/>`, xmltext.BadName},
	{"two colons", `<a xmlns:p="u:u"><p:b¦:c/></a>`, xmltext.BadName},
	{"double colon", `<x:¦:Root/>`, xmltext.BadName},
	{"attribute: colon alone", `<Root ¦:="value"/>`, xmltext.BadName},
	{"attribute: trailing colon", `<Root x:¦="value"/>`, xmltext.BadName},
	{"attribute: xmlns with a trailing colon", `<Root xmlns="u:u" xmlns:¦="u:v"/>`, xmltext.BadName},
	{"attribute: leading colons", `<Root ¦::attr="foo"/>`, xmltext.BadName},
	{"prefix declared with two colons", `<a xmlns:p¦:q="u:u"/>`, xmltext.BadName},

	// Tags.
	{"slash in a tag", `<a ¦/ >`, xmltext.BadStartTag},
	{"slash before an attribute", `<a ¦/b="">`, xmltext.BadStartTag},
	{"quote in a tag", `<a¦"b"/>`, xmltext.BadStartTag},
	{"less-than in a tag", `<a¦<b/>`, xmltext.BadStartTag},
	{"attribute without a value", `<a b¦/>`, xmltext.BadAttribute},
	{"attribute without a value, followed", `<a b ¦c=""/>`, xmltext.BadAttribute},
	{"attribute without quotes", `<a b=¦c/>`, xmltext.BadAttribute},
	{"attribute in back quotes", "<a b=¦`c`/>", xmltext.BadAttribute},
	{"value without an end", `<a b=¦"c/>`, xmltext.BadAttribute},
	{"value closed by the other quote", `<a b=¦"c'/>`, xmltext.BadAttribute},
	{"less-than in a value", `<a b="¦<"/>`, xmltext.LessThanInValue},
	{"less-than in a namespace name", `<a xmlns:b="u:¦<"/>`, xmltext.LessThanInValue},
	{"ampersand alone", `<a>¦& b</a>`, xmltext.BadReference},
	{"ampersand alone in a value", `<a b="¦&"/>`, xmltext.BadReference},
	{"reference without semicolon", `<a>¦&amp</a>`, xmltext.BadReference},
	{"reference closed after markup", `<a>¦&am<b/>p;</a>`, xmltext.BadReference},
	{"reference closed after the value", `<a b="¦&amp" c=";"/>`, xmltext.BadReference},
	{"reference empty", `<a>¦&;</a>`, xmltext.BadReference},
	{"reference with a space", `<a>¦& amp;</a>`, xmltext.BadReference},
	{"character reference empty", `<a>¦&#;</a>`, xmltext.BadReference},
	{"character reference empty, hexadecimal", `<a>¦&#x;</a>`, xmltext.BadReference},
	{"character reference with capital X", `<a>¦&#X41;</a>`, xmltext.BadReference},
	{"character reference with a sign", `<a>¦&#+65;</a>`, xmltext.BadReference},
	{"character reference, negative", `<a>¦&#-1;</a>`, xmltext.BadReference},
	{"character reference with hexadecimal digits only", `<a>¦&#4A;</a>`, xmltext.BadReference},
	{"character reference with an underscore", `<a>¦&#1_0;</a>`, xmltext.BadReference},
	{"character reference with Arabic digits", `<a>¦&#٦٥;</a>`, xmltext.BadReference},
	{"end tag of another name", `<a>¦</b>`, xmltext.MismatchedEndTag},
	{"end tag of a longer name", `<a>¦</ab>`, xmltext.MismatchedEndTag},
	{"end tag of a longer name, letter beyond ASCII", `<a>¦</aé>`, xmltext.MismatchedEndTag},
	{"end tag of a shorter name", `<ab>¦</a>`, xmltext.MismatchedEndTag},
	{"end tag in another case", `<a>¦</A>`, xmltext.MismatchedEndTag},
	{"end tag with another prefix of the same name", `<r xmlns:p="u:u" xmlns:q="u:u"><p:a>¦</q:a></r>`, xmltext.MismatchedEndTag},
	{"end tag without prefix", `<p:a xmlns:p="u:u" xmlns="u:u">¦</a>`, xmltext.MismatchedEndTag},
	{"end tag with a prefix", `<a>¦</a:a>`, xmltext.MismatchedEndTag},
	{"end tag with a space in front", `<a>¦</ a>`, xmltext.MismatchedEndTag},
	{"end tags crossed", `<a><b>¦</a></b>`, xmltext.MismatchedEndTag},
	{"end tag before the root", `¦</a>`, xmltext.MismatchedEndTag},
	{"end tag after the root", `<a></a>¦</a>`, xmltext.MismatchedEndTag},
	{"end tag with an attribute", `<a></a ¦b="">`, xmltext.BadEndTag},
	{"end tag self-closed", `<a></a¦/>`, xmltext.BadEndTag},

	// Ends.
	{"nothing", `¦`, xmltext.NoRoot},
	{"white space only", " \n¦", xmltext.NoRoot},
	{"byte order mark only", "\uFEFF¦", xmltext.NoRoot},
	{"comment only", `<!-- -->¦`, xmltext.NoRoot},
	{"declaration only", `<?xml version="1.0"?>¦`, xmltext.NoRoot},
	{"cut in the root", `<a>¦`, xmltext.UnexpectedEnd},
	{"cut after less-than", `<a><¦`, xmltext.UnexpectedEnd},
	{"cut at the first byte", `<¦`, xmltext.UnexpectedEnd},
	{"cut in a name", `<a¦`, xmltext.UnexpectedEnd},
	{"cut after a colon", `<a:¦`, xmltext.UnexpectedEnd},
	{"cut after a space", `<a ¦`, xmltext.UnexpectedEnd},
	{"cut after a slash", `<a/¦`, xmltext.UnexpectedEnd},
	{"cut in an attribute name", `<a b¦`, xmltext.UnexpectedEnd},
	{"cut after an equals sign", `<a b=¦`, xmltext.UnexpectedEnd},
	{"cut in an end tag", `<ab></a¦`, xmltext.UnexpectedEnd},
	{"cut before the end of an end tag", `<ab></ab¦`, xmltext.UnexpectedEnd},
	{"cut in text", `<a>text¦`, xmltext.UnexpectedEnd},

	// W13: one identifier, two bearers.
	{"W13: Id twice", `<r><a Id="i"/><b ¦Id="i"/></r>`, xmltext.DuplicateID},
	{"W13: Id and ID", `<r><a Id="i"/><b ¦ID="i"/></r>`, xmltext.DuplicateID},
	{"W13: Id and AssertionID", `<r Id="i"><b ¦AssertionID="i"/></r>`, xmltext.DuplicateID},
	{"W13: RequestID and AssertionID", `<r RequestID="i"><b ¦AssertionID="i"/></r>`, xmltext.DuplicateID},
	{"W13: ResponseID and RequestID", `<r ResponseID="i"><b ¦RequestID="i"/></r>`, xmltext.DuplicateID},
	{"W13: wsu:Id and Id", `<r xmlns:u="` + namespaceWSU + `"><a u:Id="i"/><b ¦Id="i"/></r>`, xmltext.DuplicateID},
	{"W13: wsu:Id by two prefixes", `<r xmlns:u="` + namespaceWSU + `" xmlns:v="` + namespaceWSU + `"><a u:Id="i"/><b ¦v:Id="i"/></r>`, xmltext.DuplicateID},
	{"W13: xml:id", `<r xml:id="i"><b ¦ID="i"/></r>`, xmltext.DuplicateID},
	{"W13: equal by reference", `<r><a Id="&#105;"/><b ¦ID="i"/></r>`, xmltext.DuplicateID},
	{"W13: equal after white space is folded", `<r><a Id="i"/><b ¦ID=" i "/></r>`, xmltext.DuplicateID},
	{"W13: equal after that of the first is folded", `<r><a Id=" i "/><b ¦ID="i"/></r>`, xmltext.DuplicateID},
	{"W13: equal after inner white space is folded", "<r><a Id='i  j'/><b ¦ID='\ti\nj'/></r>", xmltext.DuplicateID},
	{"W13: equal, no-break space apart", "<r><a Id='i j'/><b ¦ID='i\u00A0 j'/></r>", xmltext.DuplicateID},
	{"W13: one element, two spellings", `<r Id="i" ¦ID=" i"/>`, xmltext.DuplicateID},
	{"W13: empty identifiers", `<r><a Id=""/><b ¦Id=""/></r>`, xmltext.DuplicateID},
	{"W13: among many", `<r>` + manyIDs(40) + `<b ¦ID="i3"/></r>`, xmltext.DuplicateID},
	{"W13: among many, folded", `<r>` + manyIDs(40) + `<b ¦ID=" i39"/></r>`, xmltext.DuplicateID},
	{"W13: the seventeenth", `<r>` + manyIDs(16) + `<b ¦ID="i0"/></r>`, xmltext.DuplicateID},
}

const namespaceWSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"

func manyIDs(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(`<a Id="i` + itoa(i) + `"/>`)
	}
	return b.String()
}

func itoa(i int) string {
	if i < 10 {
		return string(rune('0' + i))
	}
	return itoa(i/10) + itoa(i%10)
}

// unmark takes the mark out of text and says where it was.
func unmark(text string) (clean string, at int) {
	at = strings.Index(text, mark)
	return strings.Replace(text, mark, "", 1), at
}

// refused parses what must not parse and returns the refusal.
func refused(t testing.TB, text string, limits xmltext.Limits) *xmltext.SyntaxError {
	t.Helper()
	d, err := xmltext.Parse([]byte(text), limits)
	var e *xmltext.SyntaxError
	if d != nil || !errors.As(err, &e) {
		t.Fatalf("document %v, error %v", d != nil, err)
	}
	if e.Offset < 0 || e.Offset > len(text) {
		t.Errorf("offset %d outside the text", e.Offset)
	}
	return e
}

func TestRefused(t *testing.T) {
	named := map[string]bool{}
	for _, c := range refusals {
		if named[c.name] {
			t.Errorf("two cases %q", c.name)
		}
		named[c.name] = true
		t.Run(c.name, func(t *testing.T) {
			text, at := unmark(c.text)
			e := refused(t, text, xmltext.DefaultLimits())
			if e.Reason != c.reason || e.Offset != at {
				t.Errorf("%v at %d; want %v at %d: %q", e.Reason, e.Offset, c.reason, at, text)
			}
		})
	}
}

// TestReasonsAreShown: every reason has a case, here or among the limits, and a text
// of its own.
func TestReasonsAreShown(t *testing.T) {
	shown := map[xmltext.Reason]bool{
		xmltext.TooLarge: true, xmltext.TooDeep: true, xmltext.TooManyNodes: true, xmltext.TooManyAttributes: true,
		xmltext.TooManyNamespaces: true, xmltext.NameTooLong: true, // TestLimits
	}
	for _, c := range refusals {
		shown[c.reason] = true
	}
	texts := map[string]bool{}
	last := xmltext.UnexpectedEnd
	for r := xmltext.Reason(1); r <= last; r++ {
		if !shown[r] {
			t.Errorf("no case for %v", r)
		}
		if texts[r.String()] || strings.HasPrefix(r.String(), "reason ") {
			t.Errorf("text of reason %d: %v", r, r)
		}
		texts[r.String()] = true
	}
	if got := (last + 1).String(); got != "reason "+itoa(int(last)+1) {
		t.Errorf("an unknown reason is %q", got)
	}
	e := &xmltext.SyntaxError{Reason: xmltext.DoctypeRefused, Offset: 7}
	if e.Error() != "xml: document type declaration refused at byte 7" {
		t.Error(e)
	}
}

// TestRefusedAnywhere: a refusal does not depend on what stands before it: text is
// scanned by words of eight bytes, and every alignment must see the same.
func TestRefusedAnywhere(t *testing.T) {
	for _, bad := range []struct {
		text   string
		reason xmltext.Reason
	}{
		{"\x00", xmltext.BadCharacter}, {"\x1F", xmltext.BadCharacter}, {"\xFF", xmltext.BadUTF8}, {"\x80", xmltext.BadUTF8},
		{"]]>", xmltext.CDATAEndInText}, {"&x;", xmltext.UnknownEntity}, {"\uFFFE", xmltext.BadCharacter}, {"\xED\xBF\xBF", xmltext.BadUTF8},
	} {
		for before := range 20 {
			for _, filler := range []string{"x", "]", ">", "\x7F", "!", "=", "?"} {
				if filler == "]" && bad.text == "]]>" {
					continue
				}
				for after := range 10 {
					prefix := strings.Repeat(filler, before)
					text := "<a>" + prefix + bad.text + strings.Repeat("y", after) + "</a>"
					e := refused(t, text, xmltext.DefaultLimits())
					if e.Reason != bad.reason || e.Offset != 3+before {
						t.Fatalf("%v at %d: %q", e.Reason, e.Offset, text)
					}
				}
			}
		}
	}
}
