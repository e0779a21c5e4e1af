package io.deltarule.cuda;

import static jcuda.driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR;
import static jcuda.driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR;
import static jcuda.driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH;
import static jcuda.driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN;
import static jcuda.driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT;
import static jcuda.driver.JCudaDriver.cuDeviceGet;
import static jcuda.driver.JCudaDriver.cuDeviceGetAttribute;
import static jcuda.driver.JCudaDriver.cuDeviceGetName;
import static jcuda.driver.JCudaDriver.cuDeviceTotalMem;

import java.nio.charset.StandardCharsets;
import jcuda.driver.CUdevice;

/**
 * A card, and what the driver says of it.
 *
 * @param id the handle
 * @param name the card's name
 * @param driver the CUDA version that the driver serves, such as 13000 for 13.0
 * @param capability the compute capability, such as 90 for 9.0
 * @param multiprocessors that work on blocks at the same time
 * @param cooperative whether a launch may wait for all its blocks
 * @param sharedBytes the shared memory that a block may ask for
 * @param bytes the card's memory
 */
record Device(
    CUdevice id,
    String name,
    int driver,
    int capability,
    int multiprocessors,
    boolean cooperative,
    int sharedBytes,
    long bytes) {

  /** What the kernels were compiled for (Turing). */
  static final int OLDEST_CAPABILITY = 75;

  /** The first whose tensor cores take tf32 and bf16, and that copies beside its work. */
  static final int AMPERE = 80;

  /** The first that takes the kernels' PTX, of version 7.8. */
  static final int OLDEST_DRIVER = 11080;

  static Device of(int number, int driver) {
    CUdevice id = new CUdevice();
    Cuda.check(cuDeviceGet(id, number), "cuDeviceGet", number);
    byte[] name = new byte[256];
    Cuda.check(cuDeviceGetName(name, name.length, id), "cuDeviceGetName", number);
    long[] bytes = new long[1];
    Cuda.check(cuDeviceTotalMem(bytes, id), "cuDeviceTotalMem", number);
    return new Device(
        id,
        new String(name, StandardCharsets.UTF_8).replace("\0", "").strip(),
        driver,
        10 * attribute(id, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)
            + attribute(id, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR),
        attribute(id, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT),
        attribute(id, CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH) != 0,
        attribute(id, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN),
        bytes[0]);
  }

  private static int attribute(CUdevice id, int which) {
    int[] value = new int[1];
    Cuda.check(cuDeviceGetAttribute(value, which, id), "cuDeviceGetAttribute", which);
    return value[0];
  }

  boolean usable() {
    return capability >= OLDEST_CAPABILITY && driver >= OLDEST_DRIVER;
  }

  @Override
  public String toString() {
    return "%s, compute capability %d.%d, %d multiprocessors, %d MiB, driver for CUDA %s"
        .formatted(
            name, capability / 10, capability % 10, multiprocessors, bytes >> 20, version(driver));
  }

  static String version(int driver) {
    return driver / 1000 + "." + driver % 1000 / 10;
  }
}
