package io.deltarule.cuda;

import jcuda.driver.CUdeviceptr;

/** A place in device memory. JCuda keeps its number to itself; kernels get it as a parameter. */
final class Address extends CUdeviceptr {

  /** None yet; a call of the driver will fill it in. */
  Address() {}

  private Address(Address from, long bytes) {
    super(from, bytes);
  }

  Address plus(long bytes) {
    return new Address(this, bytes);
  }

  long number() {
    return getNativePointer() + getByteOffset();
  }
}
