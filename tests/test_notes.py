"""The five course notes: every cell within this milestone's scope, run as the text it is."""

from __future__ import annotations

import pytest

from tests.oracle import agree, chainrule_library, run

# Cells of one note that share their variables are one program; what a cell shows is printed.
NOTES = {
    "002: Exp": """
import torch
from torch.autograd import Function
class Exp(Function):
    @staticmethod
    def forward(ctx, i):
        result = i.exp()
        ctx.save_for_backward(result)
        return result

    @staticmethod
    def backward(ctx, grad_output):
        result, = ctx.saved_tensors
        return grad_output * result

# 通过调用apply方法使用它：
input = torch.tensor([0.5, 1.0], requires_grad=True)
output = Exp.apply(input)
print(output)
output.sum().backward()
print(input.grad)
""",
    "000: a vector and its transpose": """
import torch
x = torch.arange(4.0)
print(x)
print(x.shape)
print(x*x)
y = x.T
print(y)
print(y.shape)
print(torch.dot(x,x))
""",
    "000: grad is None": """
import torch
x = torch.arange(4.0)
x.requires_grad_(True) # 等价于 x = torch.arange(4.0,requires_grad=True)
print(x.grad) # 默认为None
x = torch.arange(4.0,requires_grad=True)
print(x.grad)
""",
    "000: y": """
import torch
x = torch.arange(4.0,requires_grad=True)
y = 2 * torch.dot(x,x)
print(y) # grad_fn是隐式的构造了梯度函数
""",
    "000: backward": """
import torch
x = torch.arange(4.0,requires_grad=True)
y = 2 * torch.dot(x,x)
y.backward() # 反向传播后会有梯度计算出来
print(x.grad) # 访问导数，即访问梯度
print(x.grad == 4 * x) # 4 * x 是 2 * x * x 的导数
""",
    "000: zero_": """
import torch
x = torch.arange(4.0,requires_grad=True)
y = 2 * torch.dot(x,x)
y.backward()
# 默认情况下，PyTorch会累积梯度，需要清除之前的值
x.grad.zero_()
y = x.sum()
print("y:",y)
y.backward()
print(x.grad)
""",
    "000: not a scalar": """
import torch
x = torch.arange(4.0,requires_grad=True)
y = 2 * torch.dot(x,x)
y.backward()
print("y:",y)
print("x:",x)
print("x.grad:",x.grad)

x.grad.zero_()
y = x * x  # 这里的y不是一个标量，这是一个向量
print("y:",y)
# 等价于y.backward(torch.ones(len(x)))
y.sum().backward() # y.sum()后就将向量转为标量了，对标量求导
print("y.sum():",y.sum())
print("x.grad:",x.grad)
x.grad == 2 * x
""",
    "000: detach": """
import torch
x = torch.arange(4.0,requires_grad=True)
y = 2 * torch.dot(x,x)
y.backward()
x.grad.zero_()
y = x * x
print(y)
u = y.detach() # y.detach把y当作一个常数，而不是关于x的一个函数
print(y.detach())
print(u)
z = u * x
z.sum().backward()
x.grad == u
""",
    "000: the sum again": """
import torch
x = torch.arange(4.0,requires_grad=True)
y = 2 * torch.dot(x,x)
y.backward()
x.grad.zero_()
y = x * x  # 这里的y是关于x的函数
print("x.sum():",x.sum())
print("y.sum():",y.sum())
y.sum().backward()
x.grad == 2 * x
""",
    "000: control flow": """
def f(a):
    b = a * 2
    while b.norm() < 1000: # norm是L2范数
        b = b * 2
    if b.sum() > 0:
        c = b
    else:
        c = 100 * b
    return c

a = torch.randn(size=(),requires_grad=True)
print(a)
d = f(a)
d.backward()
print(a.grad)
print(d/a)
a.grad == d/a # d是a的线性函数，所以导数就是斜率d/a
""",
    "000: three variables": """
import torch

# 定义变量 x1, x2, x3，同时指定 requires_grad=True 以计算梯度
x1 = torch.tensor(3.0, requires_grad=True)
x2 = torch.tensor(4.0, requires_grad=True)
x3 = torch.tensor(2.0, requires_grad=True)

# 计算 y = 2x1 + 5x2 + x3^2
y = 2*x1 + 5*x2 + x3**2

# 执行反向传播，计算梯度
y.backward()

# 获取各个变量的梯度
grad_x1 = x1.grad
grad_x2 = x2.grad
grad_x3 = x3.grad

# 输出梯度值
print("Gradient of x1:", grad_x1.item())
print("Gradient of x2:", grad_x2.item())
print("Gradient of x3:", grad_x3.item())
""",
    "001: step by step": """
x = torch.arange(4.0) #定义向量x
x.requires_grad_(True) #开始存储梯度
print(x.grad) #访问梯度
y = 2*torch.dot(x,x) #定义函数y = 2 xT x
y.backward() #求导、反向传递
print(x.grad) #看x的梯度
Text = x.grad ==4*x
print(Text)
x.grad.zero_() #清除之前的梯度缓存
y = x.sum() #重新建立一个新的函数
print(y)
y.backward() #求导、反向传递
GRAD_x = x.grad #访问梯度
print(GRAD_x)
""",
    "001: all the code": """
import math

x = torch.arange(4.0) #定义向量x
x.requires_grad_(True) #开始存储梯度
x.grad #访问梯度

y = 2*torch.dot(x,x)
y.backward() #求导、反向传递

Text = x.grad == 4*x

x.grad.zero_() #清除之前的梯度缓存
y = x.sum() #重新建立一个新的函数
#print(y)
y.backward() #求导、反向传递
GRAD_x = x.grad #访问梯度
#print(GRAD_x)

x.grad.zero_() #清除之前的梯度缓存
y=x*x
# 等价于 y.backward(torch.ones(len(x)))
y.sum().backward() #求导、反向传递
GRAD_x = x.grad
# print(GRAD_x)

x.grad.zero_()
y = x* x #对应元素相乘
print(y)
u = y.detach() #u就相当于一个常量 并不是变量
z = u * x
z.sum().backward() #求导、反向传递
GRAD_x = x.grad
Test = x.grad == u #检验
print(GRAD_x)
print(Test)
""",
    "002: no_grad": """
x = torch.tensor([1.], requires_grad=True)
with torch.no_grad():
  y = x * 2

print(y.requires_grad)

@torch.no_grad()
def doubler(x):
    return x * 2

z = doubler(x)
z.requires_grad
""",
    "002: enable_grad": """
x = torch.tensor([1.], requires_grad=True)
with torch.no_grad():
  with torch.enable_grad():
    y = x * 2

print(y.requires_grad)

y.backward()
print(x.grad)
@torch.enable_grad()
def doubler(x):
    return x * 2

with torch.no_grad():
    z = doubler(x)

z.requires_grad
""",
    "002: set_grad_enabled": """
x = torch.tensor([1.], requires_grad=True)
is_train = False
with torch.set_grad_enabled(is_train):
  y = x * 2

print(y.requires_grad)

torch.set_grad_enabled(True)
y = x * 2
print(y.requires_grad)

torch.set_grad_enabled(False)
y = x * 2
y.requires_grad
""",
    "002: inference_mode": """
import torch
x = torch.ones(1, 2, 3, requires_grad=True)
with torch.inference_mode():
  y = x * x

print(y.requires_grad)

try:
    y._version
except RuntimeError as error:
    print(error)

@torch.inference_mode()
def func(x):
  return x * x

out = func(x)
out.requires_grad
""",
    "002: one layer": """
import torch
torch.manual_seed(1)
x = torch.ones(5)  # 输入张量
y = torch.zeros(3)  # 预期输出
w = torch.randn(5, 3, requires_grad=True)
b = torch.randn(3, requires_grad=True)
z = torch.matmul(x, w)+b
loss = F.binary_cross_entropy_with_logits(z, y)
print(f"Gradient function for z = {z.grad_fn}")
print(f"Gradient function for loss = {loss.grad_fn}")
loss.backward()
print(w.grad)
print(b.grad)
z = torch.matmul(x, w)+b
print(z.requires_grad)

with torch.no_grad():
    z = torch.matmul(x, w)+b
print(z.requires_grad)
z = torch.matmul(x, w)+b
z_det = z.detach()
print(z_det.requires_grad)
""",
    "002: a gradient for an output with several elements": """
inp = torch.eye(5, requires_grad=True)
out = (inp+1).pow(2)
out.backward(torch.ones_like(inp), retain_graph=True)
print(f"First call\\n{inp.grad}")

out.backward(torch.ones_like(inp), retain_graph=True)
print(f"\\nSecond call\\n{inp.grad}")

inp.grad.zero_()
out.backward(torch.ones_like(inp), retain_graph=True)
print(f"\\nCall after zeroing gradients\\n{inp.grad}")
""",
    "002: walking the graph": """
import torch
import math
a = torch.linspace(0., 2. * math.pi, steps=25, requires_grad=True)
print(a)
b = torch.sin(a)
print(b)
c = 2 * b
print(c)

d = c + 1
print(d)
out = d.sum()
print(out)
print('d:')
print(d.grad_fn)
print(d.grad_fn.next_functions)
print(d.grad_fn.next_functions[0][0].next_functions)
print(d.grad_fn.next_functions[0][0].next_functions[0][0].next_functions)
print(d.grad_fn.next_functions[0][0].next_functions[0][0].next_functions[0][0].next_functions)
print('\\nc:')
print(c.grad_fn)
print('\\nb:')
print(b.grad_fn)
print('\\na:')
print(a.grad_fn)
out.backward()
print(a.grad)
print(c.grad)
""",
    "002: a model and an optimizer": """
torch.manual_seed(0)
BATCH_SIZE = 16
DIM_IN = 1000
HIDDEN_SIZE = 100
DIM_OUT = 10

class TinyModel(torch.nn.Module):

    def __init__(self):
        super(TinyModel, self).__init__()

        self.layer1 = torch.nn.Linear(1000, 100)
        self.relu = torch.nn.ReLU()
        self.layer2 = torch.nn.Linear(100, 10)

    def forward(self, x):
        x = self.layer1(x)
        x = self.relu(x)
        x = self.layer2(x)
        return x

some_input = torch.randn(BATCH_SIZE, DIM_IN, requires_grad=False)
ideal_output = torch.randn(BATCH_SIZE, DIM_OUT, requires_grad=False)

model = TinyModel()
print(model.layer2.weight[0][0:10]) # 切片
print(model.layer2.weight.grad)
optimizer = torch.optim.SGD(model.parameters(), lr=0.001)

prediction = model(some_input)

loss = (ideal_output - prediction).pow(2).sum()
print(loss)
loss.backward()
print(model.layer2.weight[0][0:10])
print(model.layer2.weight.grad[0][0:10])
optimizer.step()
print(model.layer2.weight[0][0:10])
print(model.layer2.weight.grad[0][0:10])
print(model.layer2.weight.grad[0][0:10])

for i in range(0, 5):
    prediction = model(some_input)
    loss = (ideal_output - prediction).pow(2).sum()
    loss.backward()

print(model.layer2.weight.grad[0][0:10])

optimizer.zero_grad(set_to_none=False) # as zero_grad() was when the note was written

print(model.layer2.weight.grad[0][0:10])

optimizer.zero_grad()

print(model.layer2.weight.grad[0][0:10])
""",
    "002: the flag": """
a = torch.ones(2, 3, requires_grad=True)
print(a)

b1 = 2 * a
print(b1)

a.requires_grad = False
b2 = 2 * a
print(b2)
""",
    "002: off for a block": """
a = torch.ones(2, 3, requires_grad=True) * 2
b = torch.ones(2, 3, requires_grad=True) * 3

c1 = a + b
print(c1)

with torch.no_grad():
    c2 = a + b

print(c2)

c3 = a * b
print(c3)
""",
    "002: off for a function": """
def add_tensors1(x, y):
    return x + y

@torch.no_grad()
def add_tensors2(x, y):
    return x + y


a = torch.ones(2, 3, requires_grad=True) * 2
b = torch.ones(2, 3, requires_grad=True) * 3

c1 = add_tensors1(a, b)
print(c1)

c2 = add_tensors2(a, b)
print(c2)
""",
    "002: a copy without history": """
x = torch.rand(5, requires_grad=True)
y = x.detach()

print(x)
print(y)
""",
    "002: the body of the profiled loop": """
device = torch.device('cpu')
run_on_gpu = False
if torch.cuda.is_available():
    device = torch.device('cuda')
    run_on_gpu = True

x = torch.randn(2, 3, requires_grad=True)
y = torch.rand(2, 3, requires_grad=True)
z = torch.ones(2, 3, requires_grad=True)

for _ in range(3):
    z = (z / x) * y
print(z, device)
""",
    "003: scalars": """
import torch

x = torch.tensor([0., 1, 2, 4])
print(repr(x))
x.requires_grad_(True) # 等价于 `x = torch.arange(4.0, requires_grad=Tue)`
print(x)
print(x.grad) # 默认值是None
y = 2 * torch.dot(x, x) # 标量函数的梯度是向量，并且与x具有相同的形状
print(repr(y))
y.backward()
print(repr(x.grad))
print(repr(x.grad == 4 * x)) # 验证梯度是否计算正确
print(repr(x.grad.zero_())) # 在默认情况下，PyTorch会累积梯度，下次计算前需要清除
y = x.sum()
print(repr(y))
y.backward()
x.grad
""",
    "003: vectors": """
x = torch.tensor([0., 1, 2, 4], requires_grad=True)
x.sum().backward()
x.grad.zero_() # 清楚之前的梯度值
y = x * x
print(repr((y, y.shape)))
y.sum().backward()  # y.backward(torch.ones(len(x)))
print(repr(x.grad))
x.grad.zero_()
y = x * x
u = y.detach() # 分离y，将返回值赋值给新变量u，该变量与y具有相同的值
z = u * x # 计算z关于x的梯度时，会将u作为常数处理
z.sum().backward()
print(repr(x.grad == u))
# y的计算结果已经记录
x.grad.zero_()
y.sum().backward()
x.grad == 2 * x
""",
    "003: control flow": """
def f(a):
    b = a * 2
    while b.norm() < 1000: # 返回所给tensor的矩阵范数或向量范数
        b = b * 2
    if b.sum() > 0:
        c = b
    else:
        c = 100 * b

    return c
a = torch.randn(size=(), requires_grad = True)
d = f(a)
d.backward()
print(repr((a, d)))
a.grad == d / a
""",
    "004: with x.T": """
import torch

x = torch.arange(4.0)
print(repr(x))
x.requires_grad_(True)
print(x.grad)
y = 2 * x.T @ x
print(repr(y))
y.backward()
print(repr(x.grad))
print(repr(x.grad == 4 * x))
x.grad.zero_()
y = x.sum()
y.backward()
x.grad
""",
    "004: elements": """
import torch
x = torch.Tensor([1, 2])
x.requires_grad_(True)
y =  2*(x[0]**3) + 3*x[0]*x[1] + 4*x[1]
y.backward()
print(repr(y))
x.grad
""",
    "004: descent": """
learning_rate = 0.1
x = torch.Tensor([11, 2.0])
x.requires_grad_(True)
ys = []
for i in range(1000):
    y = 2*(x[0]**2)  + 4*x[1]**2
    y.backward()
    if  len(ys) and y >= ys[-1]:
        break
    ys.append(y)
    print(y , i, x.grad )
    with torch.no_grad():
        x -= learning_rate * x.grad
    x.grad.zero_()
""",
}

# What the notes themselves show (or torch 2.13 where its text has changed), so that this runs without torch.
SHOWN = {
    "000: y": "tensor(28., grad_fn=<MulBackward0>)",
    "000: backward": "tensor([ 0.,  4.,  8., 12.])\ntensor([True, True, True, True])",
    "000: zero_": "y: tensor(6., grad_fn=<SumBackward0>)\ntensor([1., 1., 1., 1.])",
    "000: not a scalar": """\
y: tensor(28., grad_fn=<MulBackward0>)
x: tensor([0., 1., 2., 3.], requires_grad=True)
x.grad: tensor([ 0.,  4.,  8., 12.])
y: tensor([0., 1., 4., 9.], grad_fn=<MulBackward0>)
y.sum(): tensor(14., grad_fn=<SumBackward0>)
x.grad: tensor([0., 2., 4., 6.])
tensor([True, True, True, True])""",
    "000: detach": """\
tensor([0., 1., 4., 9.], grad_fn=<MulBackward0>)
tensor([0., 1., 4., 9.])
tensor([0., 1., 4., 9.])
tensor([True, True, True, True])""",
    "000: three variables": "Gradient of x1: 2.0\nGradient of x2: 5.0\nGradient of x3: 4.0",
    "002: inference_mode": "False\nInference tensors do not track version counter.\nFalse",
    "002: off for a block": """\
tensor([[5., 5., 5.],
        [5., 5., 5.]], grad_fn=<AddBackward0>)
tensor([[5., 5., 5.],
        [5., 5., 5.]])
tensor([[6., 6., 6.],
        [6., 6., 6.]], grad_fn=<MulBackward0>)""",
    "003: scalars": """\
tensor([0., 1., 2., 4.])
tensor([0., 1., 2., 4.], requires_grad=True)
None
tensor(42., grad_fn=<MulBackward0>)
tensor([ 0.,  4.,  8., 16.])
tensor([True, True, True, True])
tensor([0., 0., 0., 0.])
tensor(7., grad_fn=<SumBackward0>)
tensor([1., 1., 1., 1.])""",
    "004: elements": "tensor(16., grad_fn=<AddBackward0>)\ntensor([12.,  7.])",
}
DESCENT = """\
tensor(258., grad_fn=<AddBackward0>) 0 tensor([44., 16.])
tensor(87.7600, grad_fn=<AddBackward0>) 1 tensor([26.4000,  3.2000])
tensor(31.3888, grad_fn=<AddBackward0>) 2 tensor([15.8400,  0.6400])
tensor(11.2918, grad_fn=<AddBackward0>) 3 tensor([9.5040, 0.1280])
tensor(4.0647, grad_fn=<AddBackward0>) 4 tensor([5.7024, 0.0256])
tensor(1.4633, grad_fn=<AddBackward0>) 5 tensor([3.4214, 0.0051])
tensor(0.5268, grad_fn=<AddBackward0>) 6 tensor([2.0529e+00, 1.0240e-03])
tensor(0.1896, grad_fn=<AddBackward0>) 7 tensor([1.2317e+00, 2.0480e-04])
tensor(0.0683, grad_fn=<AddBackward0>) 8 tensor([7.3903e-01, 4.0960e-05])
tensor(0.0246, grad_fn=<AddBackward0>) 9 tensor([4.4342e-01, 8.1920e-06])
"""


@pytest.mark.torch
@pytest.mark.parametrize("note", NOTES)
def test_as_torch(note: str) -> None:
    agree(NOTES[note].strip())


@pytest.mark.parametrize("note", SHOWN)
def test_as_the_note_shows(note: str) -> None:
    done = run(NOTES[note].strip(), chainrule_library())
    assert done.error is None, done.error
    assert done.out.rstrip("\n") == SHOWN[note]


def test_the_descent_begins_as_in_the_note() -> None:
    done = run(NOTES["004: descent"].strip(), chainrule_library())
    assert done.out.startswith(DESCENT)


def test_the_warning_of_a_transposed_vector_names_the_line() -> None:
    done = run(NOTES["000: a vector and its transpose"].strip(), chainrule_library())
    ((category, message, line),) = done.warnings
    assert (category, line) == ("UserWarning", 6)
    assert message.startswith("The use of `x.T` on tensors of dimension other than 2")
