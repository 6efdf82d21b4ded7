// Package derived is a source of attributes that are made of others: a boolean from a list of codes, a number with its
// qualification, a part of a text. It implements [attrs.Source]. What it makes is declared by a [Rule] an attribute, in one of a
// few forms; there are no scripts.
//
// # Inputs
//
// An input is a certified attribute, of another source or of another rule, or a hidden one (attrs.Definition.Hidden) that a source
// holds for this alone. All inputs of a question are asked for at once, of the resolver or source in [Config.Inputs]. An input must
// be about the subject of the attribute or a part of it: what is known of a person may go into what is said of him, or of him in a
// pharmacy, and never into what is said of somebody else; [Open] refuses the rest. Rules that need each other are refused too.
//
// # What becomes of the answers to the inputs
//
//	form        unknown or not, of which inputs              result
//	InList      one of the values is in the list             true
//	            values, none of them in the list             denied
//	            denied or unknown                            unknown
//	NIHII11     both values                                  number and qualification
//	            one unknown                                  unknown
//	Match       a value that the pattern matches             the text of the template; true for a boolean
//	            a value that it does not match               unknown; denied for a boolean
//	            unknown                                      unknown
//	Map         a value of the table                         what the table says
//	            a value that is not in the table             unknown
//	            unknown                                      unknown
//	Any         one is true                                  true
//	            none is, one is unknown                      unknown
//	            all denied                                   denied
//	All         one is denied                                denied
//	            none is, one is unknown                      unknown
//	            all true                                     true
//	Concat      all have values                              the parts, one after the other
//	            one unknown                                  unknown
//	each        an input cannot be had                       an error with its reason, whatever the others say
//	each        the result is no value of the kind           an error (BadAnswer), never another value
//
// An error is of one attribute: those that do not need the input are answered. Any and All answer only when every input could be
// had, though one true or one false would decide: so an outage of a source does not depend on what the others say, and shows.
//
// # Validity
//
// A derived answer holds where all of its inputs do: from the latest NotBefore to the earliest NotOnOrAfter, also where one input alone
// decided. It was retrieved when the oldest of its inputs was, and is as stale as the stalest.
package derived
