package io.deltarule.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.JCudaDriver;
import org.junit.jupiter.api.Test;

class FakeDriverTest {
  @Test
  void loads() {
    FakeDriver.load();
    assertEquals(0, JCudaDriver.cuInit(0));
    CUdevice d = new CUdevice();
    assertEquals(0, JCudaDriver.cuDeviceGet(d, 0));
    CUcontext c = new CUcontext();
    assertEquals(0, JCudaDriver.cuCtxCreate(c, 0, d));
    System.out.println(FakeDriver.liveObjects() + " " + FakeDriver.callCounts());
  }
}
