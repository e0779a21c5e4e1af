/** The one source of randomness: counter-based, so that every engine sees the same numbers. */
package io.deltarule.random;
