/** Networks as descriptions, and their parameters on the host. */
package io.deltarule.network;
