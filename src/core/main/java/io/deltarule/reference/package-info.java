/**
 * The equations in double precision, written for reading: what every engine is measured against,
 * and the finite differences that the reference itself is measured against.
 */
package io.deltarule.reference;
