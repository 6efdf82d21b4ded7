// Package cedar is a wsp.PDP in the process: policies in the Cedar language (sceau/policy/cedar), decided upon what the assertion of the
// caller certifies. Nobody is asked.
//
//	pdp, err := cedar.New(cedar.Config{Files: os.DirFS("policies"), Resource: cedar.Resource{Type: "Application", ID: "DTW"}})
//	guard, err := wsp.NewGuard(wsp.Config{ …, PDP: pdp })
//
//	@id("doctors-enter-dtw")
//	permit (principal in Role::"doctor", action == Action::"enter", resource == Application::"DTW");
//
// # Who, what, and by what
//
// The principal is wsp.PrincipalOf the caller; the action is "enter" and the resource the one of Config. Roles and tags come from
// the attributes of the assertion: a role is had when the assertion affirms its attribute, and names the principal by the identification
// attribute that goes with it (doctor:boolean is of the person:ssin beside it, and of nobody without). The time is the guard's.
//
// # What the assertion does not say
//
// A policy that can hold for the caller may speak of an attribute that the assertion does not have, because it was not asked for. Whether it
// is true nobody knows then: a forbid that speaks of it might hold, so that the caller is denied. Config.AbsentIsNone takes such an
// attribute for one that the caller does not have; it is for policies that permit by attributes and forbid by none.
package cedar
