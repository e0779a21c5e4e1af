/**
 * The engine for NVIDIA cards: JCuda's driver API for memory, launches and graphs, JCublas for the
 * products of wide layers, and the project's own kernels, which travel in the jar as PTX.
 */
package io.deltarule.cuda;
