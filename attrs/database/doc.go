// Package database says how the databases of this module are reached, with one strictness for all who connect: a path or a
// name is never taken for a parameter (H6), a PostgreSQL is proven to be itself, and a password stands where nobody else reads it.
package database
