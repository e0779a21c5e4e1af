/** The pure-Java engine: loops that the JIT compiler vectorises, on a pool of threads. */
package io.deltarule.host;
