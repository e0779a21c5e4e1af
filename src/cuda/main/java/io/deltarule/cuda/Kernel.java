package io.deltarule.cuda;

import jcuda.driver.CUfunction;

/**
 * A kernel of a loaded module.
 *
 * @param function the handle
 * @param name for messages
 * @param threadsX of a block
 * @param threadsY of a block
 */
record Kernel(CUfunction function, String name, int threadsX, int threadsY) {}
